"""Would a larger experiment settle it? Power by simulation from estimated variance components.

A task has a chance of success under each condition. Chances follow a bivariate probit-normal
model: Phi(m + s t) with t standard normal over tasks, correlated between the baseline and the
compressed condition. Three numbers are estimated from the experiment at hand: the baseline's mean,
the correlation of two runs of a task under one condition, and the correlation of a run under the
baseline with one under compression (lower where compression moves tasks in different directions).
Runs are Bernoulli draws. The simulated experiments are analysed with the paired, task-clustered t
test that the real one gets.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from goodhart_gap.analysis.clustered import Floats
from goodhart_gap.analysis.estimands import Estimand, Pairs, estimand_named, pair_conditions
from goodhart_gap.analysis.estimands import pair_rows as rows_of_pairs
from goodhart_gap.analysis.settings import Design, ExperimentDesign, StatisticsSettings

SIMULATED = ("understands", "executes", "dbdk")
"""Estimands whose power is simulated."""

SMALLEST = 10
"""Components are not estimated from fewer tasks than this."""

LARGEST_CORRELATION = 0.98
"""Latent correlations are kept below this, where the model would have no spread left to fit."""


@dataclass(frozen=True)
class Components:
    """What the simulation needs to know about a rate and its change."""

    mean: float
    """Baseline rate."""
    within: float
    """Latent correlation of two runs of a task under one condition."""
    across: float
    """Latent correlation of a run under the baseline with one under compression."""
    task_share: float
    """Share of tasks that contribute (for DBDK: tasks that are ever executed)."""
    tasks: int
    """Tasks the estimate rests on."""


def estimate_components(pairs: Pairs, estimand: Estimand) -> Components | None:
    """Estimate the components from paired outcomes by moments; None where nothing varies."""
    y1, x1, y0, x0 = rows_of_pairs(pairs, estimand)
    codes, count = pairs.clusters, len(pairs.names)
    treated, control = _task_moments(y1, x1, codes, count), _task_moments(y0, x0, codes, count)
    mean = control.mean
    if not np.isfinite(mean) or not 0 < mean < 1 or not np.isfinite(treated.mean):
        return None
    both = (treated.runs > 0) & (control.runs > 0)
    if both.sum() < SMALLEST:
        return None
    products = [control.pair_product, treated.pair_product]
    same = float(np.mean([product for product in products if np.isfinite(product)] or [np.nan]))
    cross = float((treated.rates[both] * control.rates[both]).mean())
    middle = (mean + treated.mean) / 2
    across = _latent_correlation(cross, mean, treated.mean)
    # With one run a task two runs are never seen together; assume the correlation across
    # conditions, which is the lower bound.
    within = _latent_correlation(same, middle, middle) if np.isfinite(same) else across
    within = max(within, across)
    share = float((control.runs > 0).mean())
    return Components(mean, within, across, share, int(both.sum()))


def simulate_power(
    components: Components,
    design: Design,
    change: float,
    *,
    alpha: float,
    margin: float,
    simulations: int,
    seed: int,
) -> tuple[float, float]:
    """Return the shares of simulated experiments that find a difference, and equivalence.

    `change` is the true change of the rate; the changed rate must lie in (0, 1).
    """
    tasks = max(2, round(design.tasks * components.task_share))
    random = np.random.default_rng([seed, design.tasks, design.runs, round(abs(change) * 10**6)])
    differences = _simulate(components, tasks, design.runs, change, simulations, random)
    means = differences.mean(axis=1)
    errors = differences.std(axis=1, ddof=1) / np.sqrt(tasks)
    safe = np.where(errors > 0, errors, np.inf)
    p_difference = 2 * stats.t.sf(np.abs(means) / safe, tasks - 1)
    p_equivalence = np.maximum(
        stats.t.sf((means + margin) / safe, tasks - 1),
        stats.t.cdf((means - margin) / safe, tasks - 1),
    )
    return (float((p_difference < alpha).mean()), float((p_equivalence < alpha).mean()))


def power_table(
    outcomes: pd.DataFrame, design: ExperimentDesign, settings: StatisticsSettings
) -> pd.DataFrame:
    """Power of larger designs, a row a condition, estimand, design and change.

    `kind` is `simulated` for the configured designs and `curve` for the points of a smooth curve
    over numbers of tasks, which takes only the spread of a task's difference from simulation. A
    change of zero gives the size of the test and the power to show equivalence.
    """
    rows: list[dict[str, Any]] = []
    baseline = outcomes[outcomes["condition"] == design.baseline]
    for condition in design.compared:
        pairs = pair_conditions(outcomes[outcomes["condition"] == condition], baseline)
        for name in SIMULATED:
            components = estimate_components(pairs, estimand_named(name))
            shared: dict[str, Any] = {"condition": condition, "estimand": name}
            if components is None:
                rows.append(shared | {"note": "n/a (nothing varies, or too few tasks)"})
                continue
            shared |= {
                "baseline": components.mean,
                "within": components.within,
                "across": components.across,
                "note": "",
            }
            found = [*_simulated(components, settings), *_curve(components, settings)]
            rows.extend(shared | row for row in found)
    return pd.DataFrame(rows, columns=POWER_COLUMNS)


POWER_COLUMNS = [
    "condition",
    "estimand",
    "baseline",
    "within",
    "across",
    "kind",
    "tasks",
    "runs",
    "evaluations",
    "change",
    "power",
    "power_equivalence",
    "note",
]


CURVE_TASKS = (10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000)
"""Numbers of tasks at which the power curve is computed."""

CURVE_DRAWS = 10000
"""Simulated tasks from which the spread of a difference is taken for the curve."""


def _simulated(components: Components, settings: StatisticsSettings) -> Iterator[dict[str, Any]]:
    for size in settings.power_designs:
        for change in (0.0, *settings.power_changes):
            power, equivalence = simulate_power(
                components,
                size,
                _feasible(components, change),
                alpha=1 - settings.confidence,
                margin=settings.equivalence_margin,
                simulations=settings.power_simulations,
                seed=settings.seed,
            )
            yield _row("simulated", size.tasks, size.runs, change, power, equivalence)


def _curve(components: Components, settings: StatisticsSettings) -> Iterator[dict[str, Any]]:
    for runs in sorted({size.runs for size in settings.power_designs}):
        for change in settings.power_changes:
            random = np.random.default_rng([settings.seed, runs, round(change * 10**6)])
            shift = _feasible(components, change)
            differences = _simulate(components, CURVE_DRAWS, runs, shift, 1, random)
            spread = float(differences.std(ddof=1))
            for tasks in CURVE_TASKS:
                counted = max(2, round(tasks * components.task_share))
                effect = change / spread * np.sqrt(counted) if spread else float("inf")
                limit = stats.t.ppf((1 + settings.confidence) / 2, counted - 1)
                power = float(stats.nct.sf(limit, counted - 1, effect)) if spread else 1.0
                yield _row("curve", tasks, runs, change, power, float("nan"))


def _feasible(components: Components, change: float) -> float:
    """A rate near its ceiling can only fall; the direction does not matter to the power."""
    return change if components.mean + change < 1 else -change


def _row(
    kind: str, tasks: int, runs: int, change: float, power: float, equivalence: float
) -> dict[str, Any]:
    return {
        "kind": kind,
        "tasks": tasks,
        "runs": runs,
        "evaluations": tasks * runs,
        "change": change,
        "power": power,
        "power_equivalence": equivalence,
    }


@dataclass(frozen=True)
class _Moments:
    """Moments of the runs of each task."""

    rates: Floats
    runs: Floats
    mean: float
    pair_product: float
    """Mean over tasks of the chance that two different runs both succeed; NaN with one run."""


def _task_moments(y: Floats, x: Floats, codes: Any, count: int) -> _Moments:
    successes = np.bincount(codes, weights=y, minlength=count)
    runs = np.bincount(codes, weights=x, minlength=count).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = successes / runs
        product = successes * (successes - 1) / (runs * (runs - 1))
    several = runs > 1
    return _Moments(
        rates=rates,
        runs=runs,
        mean=float(np.nanmean(rates)) if (runs > 0).any() else float("nan"),
        pair_product=float(product[several].mean()) if several.any() else float("nan"),
    )


def _latent_correlation(product: float, one: float, two: float) -> float:
    """Correlation of two normals that exceed their thresholds together with chance `product`."""
    first, second = stats.norm.ppf(np.clip([one, two], 1e-6, 1 - 1e-6))

    def excess(correlation: float) -> float:
        covariance = [[1.0, correlation], [correlation, 1.0]]
        joint = stats.multivariate_normal.cdf([first, second], cov=covariance, allow_singular=True)
        return float(joint) - product

    if excess(0.0) >= 0:
        return 0.0
    if excess(LARGEST_CORRELATION) <= 0:
        return LARGEST_CORRELATION
    return float(optimize.brentq(excess, 0.0, LARGEST_CORRELATION, xtol=1e-4))


def _simulate(
    components: Components,
    tasks: int,
    runs: int,
    change: float,
    simulations: int,
    random: np.random.Generator,
) -> Floats:
    """Differences of task rates, shape [simulations, tasks]."""
    residual = np.sqrt(1 - components.within)
    shared = random.standard_normal((simulations, tasks))
    own = random.standard_normal((2, simulations, tasks))
    correlation = components.across / components.within if components.within else 1.0
    weights = (np.sqrt(correlation), np.sqrt(max(0.0, 1 - correlation)))
    rates = []
    for index, mean in enumerate((components.mean, components.mean + change)):
        task = np.sqrt(components.within) * (weights[0] * shared + weights[1] * own[index])
        chance = stats.norm.cdf((stats.norm.ppf(mean) + task) / residual)
        rates.append(random.binomial(runs, chance) / runs)
    return rates[1] - rates[0]
