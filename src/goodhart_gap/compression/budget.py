"""Choose settings for each block under a budget of bits, exactly. Needs no torch.

Each block has options (settings with a size and a predicted loss); one is taken of each so that the
sum of losses is least and the sum of sizes fits the budget: a multiple-choice knapsack. It is
solved exactly by keeping, block after block, all partial choices that no other partial choice beats
in both size and loss, and that can still lead to a whole as good as one known to fit. What the
blocks still to come can do at best is bounded by putting a price on a byte (Lagrangian relaxation;
Kellerer, Pferschy, Pisinger, *Knapsack Problems*, 2004, chapter 11), which leaves few partial
choices even of hundreds of blocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goodhart_gap.errors import GoodhartError

_SLACK = 1e-9
"""Share of the summed losses by which rounding may move a bound."""


@dataclass(frozen=True)
class Option:
    """One way to store a block."""

    name: str
    size_bytes: int
    loss: float


@dataclass(frozen=True)
class _Block:
    """The options of one block: sizes int64 [options] and losses float64 [options]."""

    sizes: NDArray[np.int64]
    losses: NDArray[np.float64]

    def cheapest(self, price: float) -> int:
        """The option of least loss + price x size; of equals the smallest."""
        return int(np.lexsort((self.sizes, self.losses + price * self.sizes))[0])


def choose(options: Mapping[str, Sequence[Option]], budget_bytes: int) -> dict[str, str]:
    """Return {block: name of its option} of least total loss within `budget_bytes`.

    Of choices with equal loss the smallest is returned. Raises GoodhartError when even the smallest
    options do not fit.
    """
    blocks = _blocks(options)
    least = sum(int(block.sizes.min()) for block in blocks)
    if least > budget_bytes:
        raise GoodhartError(
            f"the smallest allocation takes {least} bytes, over the budget of {budget_bytes}; "
            "raise the budget or allow fewer bits."
        )
    chosen = _optimum(blocks, budget_bytes, least)
    return {
        name: each[place].name for (name, each), place in zip(options.items(), chosen, strict=True)
    }


def price_of_a_byte(options: Mapping[str, Sequence[Option]], budget_bytes: int) -> float:
    """Loss that another byte would save: the Lagrange multiplier of a budget that can be kept."""
    return _price(_blocks(options), budget_bytes)[0]


def _blocks(options: Mapping[str, Sequence[Option]]) -> list[_Block]:
    return [
        _Block(
            np.array([option.size_bytes for option in each], dtype=np.int64),
            np.array([option.loss for option in each], dtype=np.float64),
        )
        for each in options.values()
    ]


def _optimum(blocks: Sequence[_Block], budget_bytes: int, least: int) -> list[int]:
    """The option taken of each block; `least` is the sum of the smallest options."""
    price, known = _price(blocks, budget_bytes)
    limit = known + _SLACK * (1 + sum(float(np.abs(block.losses).max()) for block in blocks))
    # What the blocks still to come need at least, in bytes and in loss + price x bytes.
    reserve = least
    future = sum(_priced(block, price) for block in blocks)
    sizes, losses = np.zeros(1, dtype=np.int64), np.zeros(1)
    steps: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for block in blocks:
        reserve -= int(block.sizes.min())
        future -= _priced(block, price)
        size = (sizes[:, None] + block.sizes).ravel()
        loss = (losses[:, None] + block.losses).ravel()
        bound = loss + price * (size - budget_bytes) + future
        order = np.flatnonzero((size + reserve <= budget_bytes) & (bound <= limit))
        order = order[np.lexsort((loss[order], size[order]))]
        least_so_far = np.minimum.accumulate(loss[order])
        better = np.ones(len(order), dtype=bool)
        better[1:] = loss[order][1:] < least_so_far[:-1]
        kept = order[better]
        sizes, losses = size[kept], loss[kept]
        steps.append((kept // len(block.sizes), kept % len(block.sizes)))
    place = len(sizes) - 1
    chosen: list[int] = []
    for previous, option in reversed(steps):
        chosen.append(int(option[place]))
        place = int(previous[place])
    return chosen[::-1]


def _priced(block: _Block, price: float) -> float:
    return float((block.losses + price * block.sizes).min())


def _price(blocks: Sequence[_Block], budget_bytes: int) -> tuple[float, float]:
    """The price of a byte at which the cheapest options just fit, and a loss that surely fits."""

    def at(price: float) -> tuple[int, list[int]]:
        chosen = [block.cheapest(price) for block in blocks]
        size = sum(int(block.sizes[option]) for block, option in zip(blocks, chosen, strict=True))
        return size, chosen

    # Above every difference of losses a byte decides alone, so that the smallest options are taken.
    low, high = 0.0, 1.0 + 2 * max((float(np.ptp(block.losses)) for block in blocks), default=0.0)
    fits = at(high)
    for _ in range(100):
        middle = (low + high) / 2
        found = at(middle)
        if found[0] <= budget_bytes:
            high, fits = middle, found
        else:
            low = middle
    size, chosen = fits
    for number, block in enumerate(blocks):
        # What is left of the budget is spent where it helps, so that the bound is tight.
        room = budget_bytes - size + int(block.sizes[chosen[number]])
        losses = np.where(block.sizes <= room, block.losses, np.inf)
        option = int(losses.argmin())
        size += int(block.sizes[option]) - int(block.sizes[chosen[number]])
        chosen[number] = option
    loss = sum(float(block.losses[option]) for block, option in zip(blocks, chosen, strict=True))
    return high, loss
