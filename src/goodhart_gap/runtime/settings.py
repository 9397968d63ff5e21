"""Settings of what is measured on models that run."""

from pydantic import Field

from goodhart_gap.settings import Settings


class ProfileSettings(Settings):
    """How the profile of blocks is measured."""

    sequences: int = Field(default=12, gt=0)
    """Held-out calibration sequences that are run; fewer where there are fewer."""

    negatives: int = Field(default=256, gt=0)
    """Sampled tokens that each hidden state is compared with beside its own."""

    seed: int = 42
    """Seed of the sampled tokens."""
