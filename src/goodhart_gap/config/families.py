"""Families of conditions: one entry of the config that stands for many conditions.

    condition_families:
      last-of-3bit:
        reuse: uniform-3bit
        protect: {last: [1, 2, 4, 8]}

is the conditions `last-of-3bit-1`, `last-of-3bit-2`, ... Members reuse the shards of a compressed
condition, so each costs an assembly, not a compression.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, model_validator

from goodhart_gap.compression.reuse import BASE
from goodhart_gap.compression.settings import (
    FORESEEN,
    ConditionSettings,
    Protection,
    foreseeable,
)
from goodhart_gap.settings import Settings


class Window(Settings):
    """A run of blocks that slides over the model."""

    length: int = Field(gt=0)
    """Blocks in the window."""

    starts: tuple[int, ...] = Field(min_length=1)
    """First blocks of the windows, counted from 0: a condition each, named by first and last."""


class FamilyProtection(Settings):
    """What the members leave out of compression: one of these, a condition for each entry."""

    first: tuple[int, ...] = ()
    """Leave out this many blocks at the start."""

    last: tuple[int, ...] = ()
    """Leave out this many blocks at the end."""

    block: tuple[int, ...] = ()
    """Leave out this one block, counted from 0."""

    window: Window | None = None
    """Leave out a run of blocks."""


class ConditionFamily(Settings):
    """Conditions that differ in the blocks they leave out, or in the one block they compress."""

    reuse: str
    """The compressed condition whose shards all members take their modules from."""

    protect: FamilyProtection = FamilyProtection()
    """What the members leave out, all else being compressed."""

    only: tuple[int, ...] = ()
    """In place of `protect`: the one block that is compressed, all else staying as it is; a
    condition for each entry."""

    minimum_correlation: float = Field(default=0.9, ge=0, le=1)
    """As for conditions."""

    @model_validator(mode="after")
    def _one_kind(self) -> "ConditionFamily":
        given = [key for key, value in self.protect if value] + ["only"] * bool(self.only)
        if len(given) != 1:
            raise ValueError(
                "a family varies exactly one of protect.first, protect.last, protect.block, "
                f"protect.window and only, not {len(given)}"
            )
        return self

    @property
    def kind(self) -> str:
        """What varies: first, last, block, window or only."""
        return "only" if self.only else next(key for key, value in self.protect if value)

    def members(self, name: str) -> dict[str, ConditionSettings]:
        """Return the conditions of the family called `name`, in the order of its entries."""
        found = {}
        for entry, reuse, protect in self._entries():
            settings = {"reuse": reuse, "protect": protect} | {
                "minimum_correlation": self.minimum_correlation
            }
            found[f"{name}-{entry}"] = ConditionSettings.model_validate(settings)
        return found

    def _entries(self) -> Iterator[tuple[str, Any, dict[str, Any]]]:
        """Yield each member's suffix, `reuse` and `protect`."""
        for key in ("first", "last"):
            for count in getattr(self.protect, key):
                yield str(count), self.reuse, {key: count}
        for block in self.protect.block:
            yield str(block), self.reuse, {"blocks": [block]}
        if self.protect.window is not None:
            length = self.protect.window.length
            for start in self.protect.window.starts:
                blocks = range(start, start + length)
                yield f"{start}-{blocks[-1]}", self.reuse, {"blocks": [*blocks]}
        for block in self.only:
            yield str(block), {self.reuse: [block], BASE: "rest"}, {}


def reuse_mistakes(
    settings: ConditionSettings, conditions: Mapping[str, ConditionSettings]
) -> Iterator[tuple[str, str]]:
    """Yield (reused condition, what is wrong with it) of a condition."""
    for reused in settings.reused:
        if reused == BASE:
            continue
        if reused not in conditions:
            yield reused, "unknown condition; add it to conditions"
        elif conditions[reused].reuse is not None:
            yield reused, "it reuses others itself; name the condition that compresses"
        elif not conditions[reused].compresses:
            yield reused, "it compresses nothing; name a condition that has `compress`"


def budget_mistakes(
    settings: ConditionSettings, conditions: Mapping[str, ConditionSettings]
) -> Iterator[tuple[str, str]]:
    """Yield (choice, what is wrong with it) of a condition under a budget."""
    budget = settings.budget
    if budget is None:
        return
    for choice in budget.choices:
        if choice == BASE:
            continue
        if choice not in conditions:
            yield choice, "unknown condition; add it to conditions"
        elif (compress := conditions[choice].compress) is None:
            yield choice, "no choice under a budget; name a condition that has `compress`"
        elif conditions[choice].protect != Protection():
            yield choice, "leaves blocks out, so it is no choice for them; drop its `protect`"
        elif budget.loss == FORESEEN and not foreseeable(compress):
            yield (
                choice,
                "its errors cannot be foreseen; give it hadamard: true and method caldera or gptq, "
                "or the budget another loss",
            )
