"""Choose settings for each block under a budget of bits, exactly. Needs no torch.

Each block has options (settings with a size and a predicted loss); one is taken of each so that the
sum of losses is least and the sum of sizes fits the budget: a multiple-choice knapsack. It is
solved exactly by keeping, block after block, all partial choices that no other partial choice beats
in both size and loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goodhart_gap.errors import GoodhartError


@dataclass(frozen=True)
class Option:
    """One way to store a block."""

    name: str
    size_bytes: int
    loss: float


@dataclass(frozen=True)
class _Partial:
    """A choice for the first blocks; `previous` chains back to the empty one."""

    size_bytes: int
    loss: float
    option: str | None
    previous: "_Partial | None"


def choose(options: Mapping[str, Sequence[Option]], budget_bytes: int) -> dict[str, str]:
    """Return {block: name of its option} of least total loss within `budget_bytes`.

    Of choices with equal loss the smallest is returned. Raises GoodhartError when even the smallest
    options do not fit.
    """
    least = sum(min(option.size_bytes for option in each) for each in options.values())
    if least > budget_bytes:
        raise GoodhartError(
            f"the smallest allocation takes {least} bytes, over the budget of {budget_bytes}; "
            "raise the budget or allow fewer bits."
        )
    # What the blocks still to come need at least: partial choices that leave less are hopeless.
    reserve = least
    front = [_Partial(0, 0.0, None, None)]
    for each in options.values():
        reserve -= min(option.size_bytes for option in each)
        grown = [
            _Partial(
                partial.size_bytes + option.size_bytes,
                partial.loss + option.loss,
                option.name,
                partial,
            )
            for partial in front
            for option in each
            if partial.size_bytes + option.size_bytes + reserve <= budget_bytes
        ]
        front = _undominated(grown)
    best: _Partial | None = front[-1]
    names: list[str] = []
    while best is not None and best.option is not None:
        names.append(best.option)
        best = best.previous
    return dict(zip(options, reversed(names), strict=True))


def _undominated(partials: list[_Partial]) -> list[_Partial]:
    """Those that no other beats in both size and loss, by growing size, so by falling loss."""
    kept: list[_Partial] = []
    for partial in sorted(partials, key=lambda item: (item.size_bytes, item.loss)):
        if not kept or partial.loss < kept[-1].loss:
            kept.append(partial)
    return kept
