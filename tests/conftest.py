"""What all tests share: steady property tests, and an S3 server."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from tests.servers.seaweed import SeaweedFS

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

# Hypothesis also takes examples from the constants of every module of ours that happens to be
# loaded: other ones on another worker, or after another test.
NO_CONSTANTS = providers.Constants()
providers._get_local_constants = lambda: NO_CONSTANTS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the cluster first: it waits for Slurm while a worker makes the finished experiment.

    The files that come first otherwise would wait for that experiment together.
    """
    items.sort(key=lambda item: item.path.name != "test_slurm.py")


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A real S3 server, started when a test first asks for it."""
    with SeaweedFS(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def s3(seaweed: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> SeaweedFS:
    """The S3 server, its requests counted from zero; the environment leads clients to it."""
    for name, value in seaweed.environment().items():
        monkeypatch.setenv(name, value)
    seaweed.proxy.forget()
    return seaweed
