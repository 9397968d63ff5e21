"""What all tests share: property tests that say the same on a slow machine as on a fast one."""

import os

from hypothesis import HealthCheck, settings

# A loaded machine is no bug, so nothing is timed; the same examples come up in every run, so a
# failure seen once is seen again. HYPOTHESIS_PROFILE=explore looks for new examples.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "explore", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=1000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
