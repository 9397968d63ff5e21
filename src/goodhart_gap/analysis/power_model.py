"""The model of tasks that larger experiments are simulated with, fitted to an experiment at hand.

A run of a task has a value: 0 or 1 for a rate, -1, 0 or 1 for the dissociation (understands less
executes). It follows from a latent normal variable by thresholds (an ordinal probit model): the
value is +1 above one, -1 below another. The variable is a task's effect under the condition plus
noise of the run; the task's effects under the baseline and under compression are correlated. What
is estimated from the experiment at hand: the baseline's shares of +1 and -1, the latent
correlation of two runs of a task under one condition, and that of a run under the baseline with
one under compression (lower where compression moves tasks in different directions). A true change
shifts the variable of the compressed condition. For DBDK, whose denominator is itself an outcome, a
contributing task counts a run with the chance that contributing tasks have here, alike for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from goodhart_gap.analysis.clustered import Floats
from goodhart_gap.analysis.distributions import both_below, normal_below, normal_quantile
from goodhart_gap.analysis.estimands import Estimand, Pairs
from goodhart_gap.analysis.estimands import pair_rows as rows_of_pairs

SMALLEST = 10
"""Components are not estimated from fewer tasks than this."""

LARGEST_CORRELATION = 0.98
"""Latent correlations are kept below this, where the model would have no spread left to fit."""

WIDEST_SHIFT = 12.0
"""No change of a rate needs a larger shift of a standard normal variable."""

RAREST = 1e-9
"""A value that was never seen is given this share."""


@dataclass(frozen=True)
class Components:
    """What the simulation needs to know about an estimand and its change."""

    upper: float
    """Baseline share of runs of value 1."""
    within: float
    """Latent correlation of two runs of a task under one condition."""
    across: float
    """Latent correlation of a run under the baseline with one under compression."""
    task_share: float
    """Share of tasks that contribute (for DBDK: tasks that are ever executed)."""
    run_share: float
    """Share of a contributing task's runs that count (for DBDK: executed ones)."""
    tasks: int
    """Tasks the estimate rests on."""
    repeated: bool = True
    """Whether tasks were run more than once, so that `within` is an estimate of its own."""
    lower: float | None = None
    """Baseline share of runs of value -1; None for a rate, which has no such value."""

    @property
    def mean(self) -> float:
        """The baseline's mean value."""
        return self.upper - (self.lower or 0.0)

    @property
    def places(self) -> tuple[float, float]:
        """How far the latent variable's mean lies above the upper, and below the lower threshold.

        Minus infinity below a threshold that does not exist.
        """
        up, down = _places((self.upper, self.lower or 0.0))
        return (up, -np.inf if self.lower is None else down)

    def shift(self, change: float) -> float:
        """Shift of the latent variable that changes the mean by `change`."""
        from scipy.optimize import brentq  # Loads slowly, and many experiments come without.

        up, down = self.places

        def excess(shift: float) -> float:
            higher, lower = normal_below([up + shift, down - shift])
            return float(higher - lower) - self.mean - change

        return float(brentq(excess, -WIDEST_SHIFT, WIDEST_SHIFT)) if change else 0.0


def estimate_components(pairs: Pairs, estimand: Estimand) -> Components | None:
    """Estimate the components from paired outcomes by moments; None where nothing varies."""
    y1, x1, y0, x0 = rows_of_pairs(pairs, estimand)
    codes, count = pairs.clusters, len(pairs.names)
    treated, control = _task_moments(y1, x1, codes, count), _task_moments(y0, x0, codes, count)
    both = (treated.runs > 0) & (control.runs > 0)
    if both.sum() < SMALLEST or not control.upper + control.lower > 0:
        return None
    if max(control.upper, control.lower) == 1:
        return None
    products = [control.pair_product, treated.pair_product]
    same = float(np.mean([product for product in products if np.isfinite(product)] or [np.nan]))
    cross = float((treated.means[both] * control.means[both]).mean())
    middle = ((control.upper + treated.upper) / 2, (control.lower + treated.lower) / 2)
    sides = ((control.upper, control.lower), (treated.upper, treated.lower))
    across = _latent_correlation(cross, *sides)
    # With one run a task two runs are never seen together; assume the correlation across
    # conditions, which is the lower bound.
    within = _latent_correlation(same, middle, middle) if np.isfinite(same) else across
    return Components(
        upper=control.upper,
        lower=None if estimand.is_rate else control.lower,
        within=max(within, across),
        across=across,
        task_share=float((control.runs > 0).mean()),
        run_share=float(control.runs.sum() / np.bincount(codes)[control.runs > 0].sum()),
        tasks=int(both.sum()),
        repeated=bool(np.isfinite(same)),
    )


def simulate_changes(
    components: Components,
    shape: tuple[int, int],
    runs: int,
    changes: Sequence[float],
    random: np.random.Generator,
) -> list[tuple[Floats, Floats]]:
    """Estimated changes, and the spread of a task's part in them, for each true change.

    `shape` is [simulations, tasks]; both arrays have shape [simulations]. A spread over the square
    root of tasks is the task-clustered standard error (`goodhart_gap.analysis.clustered`).
    """
    residual = np.sqrt(1 - components.within)
    ratio = components.across / components.within if components.within else 1.0
    shared, *own = random.standard_normal((3, *shape))
    weights = np.sqrt(components.within) * np.sqrt([ratio, max(0.0, 1 - ratio)])
    control, treated = (weights[0] * shared + weights[1] * part for part in own)
    up, down = components.places

    def draw() -> list[tuple[Floats, Any]]:
        """For each run a uniform number, and whether the run counts."""
        share = components.run_share
        return [
            (random.random(shape), True if share == 1 else random.random(shape) < share)
            for _ in range(runs)
        ]

    def rate(draws: list[tuple[Floats, Any]], effect: Floats) -> tuple[Floats, Floats]:
        """Return the ratio of sums of each simulation, and each task's deviation from it."""
        above = normal_below((up + effect) / residual)
        below = None if components.lower is None else 1 - normal_below((down - effect) / residual)
        values, counted = np.zeros(shape), np.zeros(shape)
        for number, counts in draws:
            values += (number < above) & counts
            if below is not None:
                values -= (number > below) & counts
            counted += counts
        total = np.maximum(counted.sum(axis=1, keepdims=True), 1)
        ratios = values.sum(axis=1, keepdims=True) / total
        return ratios[:, 0], (values - ratios * counted) / total * shape[1]

    before, control_deviations = rate(draw(), control)
    draws, found = draw(), []
    for change in changes:
        after, deviations = rate(draws, treated + components.shift(change))
        spread = np.sqrt(((deviations - control_deviations) ** 2).sum(axis=1) / (shape[1] - 1))
        found.append((after - before, spread))
    return found


@dataclass(frozen=True)
class _Moments:
    """Moments of the runs of each task under one condition."""

    means: Floats
    runs: Floats
    upper: float
    """Mean over tasks of the share of runs of value 1."""
    lower: float
    """Mean over tasks of the share of runs of value -1."""
    pair_product: float
    """Mean over tasks of the product of two different runs' values; NaN with one run."""


def _task_moments(y: Floats, x: Floats, codes: Any, count: int) -> _Moments:
    def per_task(values: Floats) -> Floats:
        return np.bincount(codes, weights=values, minlength=count).astype(np.float64)

    sums, squares, runs = per_task(y), per_task(y**2), per_task(x)
    some, several = runs > 0, runs > 1
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums / runs
        shares = (squares + sums) / (2 * runs), (squares - sums) / (2 * runs)
        product = (sums**2 - squares) / (runs * (runs - 1))
    return _Moments(
        means=means,
        runs=runs,
        upper=float(shares[0][some].mean()) if some.any() else 0.0,
        lower=float(shares[1][some].mean()) if some.any() else 0.0,
        pair_product=float(product[several].mean()) if several.any() else float("nan"),
    )


def _latent_correlation(
    product: float, one: tuple[float, float], two: tuple[float, float]
) -> float:
    """Latent correlation of two runs whose values have this mean product.

    `one` and `two` are each run's chances of +1 and -1.
    """
    from scipy.optimize import brentq

    def excess(correlation: float) -> float:
        return _mean_product(correlation, one, two) - product

    if excess(0.0) >= 0:
        return 0.0
    if excess(LARGEST_CORRELATION) <= 0:
        return LARGEST_CORRELATION
    return float(brentq(excess, 0.0, LARGEST_CORRELATION, xtol=1e-4))


def _mean_product(correlation: float, one: tuple[float, float], two: tuple[float, float]) -> float:
    """Mean product of the values of two runs with this latent correlation."""
    (up, down), (other_up, other_down) = _places(one), _places(two)
    alike = both_below(up, other_up, correlation) + both_below(down, other_down, correlation)
    unlike = both_below(up, other_down, -correlation) + both_below(down, other_up, -correlation)
    return alike - unlike


def _places(shares: tuple[float, float]) -> tuple[float, float]:
    """Quantiles of two shares; a share of 0 or 1 is taken for one very near to it."""
    up, down = normal_quantile(np.clip(shares, RAREST, 1 - RAREST))
    return (float(up), float(down))
