"""From a measured sample to the whole: plain arithmetic, each multiplicity in the open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self

SHORT = 2
"""Tokens of the shorter of a response's two cuts; one token would leave no step of a cache."""


@dataclass(frozen=True)
class Generation:
    """Seconds of generating one response: something at the start, and something for each token."""

    start_s: float
    token_s: float

    @classmethod
    def between(cls, few: tuple[int, float], many: tuple[int, float]) -> "Generation":
        """From two measurements (tokens, seconds) of the same response, cut at two lengths."""
        (short, first), (long, second) = few, many
        if long <= short:
            raise ValueError(f"the longer of two measurements has {long} tokens, not over {short}")
        token_s = (second - first) / (long - short)
        return cls(max(0.0, first - short * token_s), token_s)

    @classmethod
    def typical(cls, found: Sequence[Self]) -> Self:
        """The median of some, its start and its tokens each."""
        return cls(median(each.start_s for each in found), median(each.token_s for each in found))

    def seconds(self, responses: int, tokens: int) -> float:
        """Seconds of `responses` with `tokens` together, one after another."""
        return responses * self.start_s + tokens * self.token_s

    def partly(self, other: "Generation", share: float) -> "Generation":
        """This for a model of which `share` of the layers is computed as in `other`."""
        return Generation(
            self.start_s + share * (other.start_s - self.start_s),
            self.token_s + share * (other.token_s - self.token_s),
        )


def weighted(seconds: Mapping[str, float], counts: Mapping[str, int]) -> float:
    """Sum of seconds a kind times how many there are; every kind must have been measured."""
    return sum(seconds[kind] * count for kind, count in counts.items())


def largest_change(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[str, float]:
    """The name of the ratio that differs most between two runs, and by what share of the smaller.

    Raises ValueError when the runs have no ratio in common.
    """
    changes = {
        name: abs(after[name] - before[name]) / min(after[name], before[name])
        for name in before.keys() & after.keys()
        if min(after[name], before[name]) > 0
    }
    if not changes:
        raise ValueError("the two runs have no ratio in common")
    name = max(sorted(changes), key=lambda each: changes[each])
    return name, changes[name]
