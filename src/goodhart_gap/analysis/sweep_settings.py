"""What the tables and documents of a sweep need to know about it, all of it from the config."""

from typing import Literal

from pydantic import Field

from goodhart_gap.analysis.settings import ExperimentDesign
from goodhart_gap.settings import Settings


class SweepCondition(Settings):
    """One condition of a sweep."""

    name: str
    """The condition's key in the config."""

    kind: Literal["baseline", "compressed", "mixed", "selective", "family"]
    """`compressed`: all blocks at one setting; `mixed`: blocks of several conditions; `selective`:
    blocks left out by hand, or chosen under a budget; `family`: member of a family."""

    method: str | None = None
    """How its matrices are compressed; none for the baseline."""

    nominal_bits: float | None = None
    """Bits of an entry of Q, the mean over compressed blocks; none for the baseline."""

    family: str | None = None
    """The family it is a member of."""

    varies: Literal["first", "last", "block", "window", "only"] | None = None
    """What the members of its family vary."""

    reused: str | None = None
    """The compressed condition that all of its blocks but the base's come from."""

    protected: tuple[int, ...] = ()
    """Blocks that stay as they are."""

    chosen_by_tokens: int = 0
    """Held-out tokens by whose KL its blocks were chosen: the first ones."""


class SweepFacts(ExperimentDesign):
    """An experiment that varies blocks or bits."""

    experiment: str
    """The experiment's key in the config."""

    description: str = ""
    """One line about it."""

    model: str
    """The model's key in the config."""

    blocks: int = Field(gt=0)
    """Blocks of the model."""

    base_bits: int = 16
    """Bits of a weight of the base."""

    members: tuple[SweepCondition, ...]
    """Its conditions, in order."""

    published: str | None = None
    """A recorded experiment shown beside it."""

    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the intervals."""

    margin: float = Field(default=0.05, gt=0, lt=1)
    """Execution within this share of the baseline's counts as kept."""

    recovery: float = Field(default=0.5, gt=0, lt=1)
    """Share of the KL that a protected set must take away to count as enough."""

    equal_bits: float = Field(default=0.1, gt=0, lt=1)
    """Conditions whose measured bits differ by no more than this share are at equal bits."""

    floor_rate: float = Field(default=0.2, gt=0, lt=1)
    """A baseline rate under this leaves compression little to take away."""

    def member(self, name: str) -> SweepCondition:
        """Return the condition called `name`."""
        return next(each for each in self.members if each.name == name)


class ProfileFacts(Settings):
    """A profile of blocks, and the experiment that adds outcomes to it."""

    sweep: SweepFacts
    """The experiment."""

    condition: str
    """The compressed condition whose blocks are profiled."""

    resamples: int = Field(default=2000, gt=0)
    """Resamples of the bootstrap over blocks."""

    seed: int = 42
    """Seed of the bootstrap."""
