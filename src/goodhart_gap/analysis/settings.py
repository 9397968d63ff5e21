"""Settings of the statistics."""

from pydantic import Field

from goodhart_gap.settings import Settings


class StatisticsSettings(Settings):
    """Choices that must be made before the data are seen."""

    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the intervals."""

    equivalence_margin: float = Field(default=0.05, gt=0, lt=1)
    """Two rates closer than this (as a share, not in percent) count as equivalent."""

    bootstrap_resamples: int = Field(default=2000, gt=0)
    """Resamples of the cluster bootstrap."""

    seed: int = 42
    """Seed of bootstrap and permutations."""
