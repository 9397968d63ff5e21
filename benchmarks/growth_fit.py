"""With which power does a quantity grow? Exponents from a few points, and what they are worth.

Start-up does not grow, so it flatters an exponent: 2 s and 0.1 s a run look flat between 1 run and
5. It is taken off with the point that starts an axis, a small size measured like the others: what
is fitted is y - y0 against x - x0, by least squares of the logarithms. Whatever is constant
cancels, and a quantity that is linear with any constant has an exponent of exactly 1; a quadratic
one comes out a little under 2 (1.96 between 25 and 100 runs from 1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

NOISE = 0.05
"""What a quantity has grown by, as a share of its start, before it counts."""

TOLERANCE = 0.15
"""An exponent may be larger by this: times that repeat within 15 % move one of sizes that lie a
factor of 4 apart by 0.1."""


@dataclass(frozen=True)
class Fit:
    """How y grows with x."""

    whole: float | None
    """Exponent over all points; None where fewer than two tell anything."""

    last: float | None
    """Exponent between the last two points: where something worse than the rest takes over."""

    grown: float
    """What y has grown by from the start to the last point, as a share of the start."""

    @property
    def grows(self) -> bool:
        """Whether the last point stands out from noise."""
        return self.grown > NOISE


def fit(x: Sequence[float], y: Sequence[float]) -> Fit:
    """Fit y against x; the first of both is the start, the others rise."""
    points = [
        (math.log(one - x[0]), math.log(other - y[0]))
        for one, other in zip(x[1:], y[1:], strict=True)
        if one > x[0] and other - y[0] > NOISE * y[0]
    ]
    grown = (y[-1] - y[0]) / y[0]
    if len(points) < 2:
        return Fit(None, None, grown)
    (before, lower), (after, upper) = points[-2:]
    return Fit(_slope(points), (upper - lower) / (after - before), grown)


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread
