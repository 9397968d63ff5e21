"""Would a larger experiment settle it? Power by simulation from estimated variance components.

Experiments of other sizes are drawn from the model of `power_model` and analysed with the paired,
task-clustered t test that the real one gets. A primary estimand is tested at its share of the level
(Bonferroni's bound on Holm's procedure, whose smallest p value meets that share), another at the
whole level, like its unadjusted p value.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from goodhart_gap.analysis.distributions import shifted_t_above, t_above, t_quantile
from goodhart_gap.analysis.estimands import estimand_named, pair_conditions
from goodhart_gap.analysis.power_model import Components, estimate_components, simulate_changes
from goodhart_gap.analysis.settings import (
    Design,
    ExperimentDesign,
    StatisticsSettings,
    level_for,
)

SIMULATED = ("understands", "executes", "dissociation", "dbdk")
"""Estimands whose power is simulated."""


ONE_RUN = (
    "With one run a task, tasks that compression moves cannot be told from noise; they are taken "
    "for noise, so the power of designs with several runs is an upper bound."
)
"""The note where the experiment at hand repeats no task."""


def simulate_power(
    components: Components,
    design: Design,
    changes: Sequence[float],
    *,
    alpha: float,
    equivalence_alpha: float,
    margin: float,
    simulations: int,
    seed: int,
) -> list[tuple[float, float]]:
    """Return, for each true change, the shares of experiments that find it, and equivalence.

    A change is tested at level `alpha`, equivalence at `equivalence_alpha`.
    The changed mean must lie inside the range of values. All changes are simulated with the same
    random numbers, so that they can be compared.
    """
    tasks = max(2, round(design.tasks * components.task_share))
    random = np.random.default_rng([seed, design.tasks, design.runs])
    found = []
    shape = (simulations, tasks)
    for means, spreads in simulate_changes(components, shape, design.runs, changes, random):
        errors = spreads / np.sqrt(tasks)
        safe = np.where(errors > 0, errors, np.inf)
        p_difference = 2 * t_above(np.abs(means) / safe, tasks - 1)
        p_equivalence = np.maximum(
            t_above((means + margin) / safe, tasks - 1),
            t_above((margin - means) / safe, tasks - 1),
        )
        different, equivalent = p_difference < alpha, p_equivalence < equivalence_alpha
        found.append((float(different.mean()), float(equivalent.mean())))
    return found


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
            estimand = estimand_named(name)
            components = estimate_components(pairs, estimand)
            shared: dict[str, Any] = {
                "condition": condition,
                "estimand": name,
                "label": estimand.label,
            }
            if components is None:
                rows.append(shared | {"note": "n/a (nothing varies, or too few tasks)"})
                continue
            shared |= {
                "baseline": components.mean,
                "within": components.within,
                "across": components.across,
                "note": "" if components.repeated else ONE_RUN,
            }
            alpha = level_for(name, design, settings)
            found = [
                *_simulated(components, settings, alpha),
                *_curve(components, settings, alpha),
            ]
            rows.extend(shared | row for row in found)
    return pd.DataFrame(rows, columns=POWER_COLUMNS)


POWER_COLUMNS = [
    "condition",
    "estimand",
    "label",
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


def _simulated(
    components: Components, settings: StatisticsSettings, alpha: float
) -> Iterator[dict[str, Any]]:
    changes = (0.0, *settings.power_changes)
    for size in settings.power_designs:
        found = simulate_power(
            components,
            size,
            [_feasible(components, change) for change in changes],
            alpha=alpha,
            equivalence_alpha=1 - settings.confidence,
            margin=settings.equivalence_margin,
            simulations=settings.power_simulations,
            seed=settings.seed,
        )
        for change, (power, equivalence) in zip(changes, found, strict=True):
            yield _row("simulated", size.tasks, size.runs, change, power, equivalence)


def _curve(
    components: Components, settings: StatisticsSettings, alpha: float
) -> Iterator[dict[str, Any]]:
    tasks = np.array(CURVE_TASKS)
    counted = np.maximum(2, np.round(tasks * components.task_share))
    limits = [t_quantile(1 - alpha / 2, freedom) for freedom in counted - 1]
    for runs in sorted({size.runs for size in settings.power_designs}):
        random = np.random.default_rng([settings.seed, runs])
        shape = (1, CURVE_DRAWS)
        feasible = [_feasible(components, change) for change in settings.power_changes]
        found = simulate_changes(components, shape, runs, feasible, random)
        for change, (_, (spread,)) in zip(settings.power_changes, found, strict=True):
            effects = change * np.sqrt(counted) / spread if spread else np.full(len(tasks), np.inf)
            powers = shifted_t_above(limits, counted - 1, np.minimum(effects, LARGEST_EFFECT))
            for number, power in zip(CURVE_TASKS, powers, strict=True):
                yield _row("curve", number, runs, change, float(power), float("nan"))


LARGEST_EFFECT = 30.0
"""In standard errors; with more the power is 1 in any case."""


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
