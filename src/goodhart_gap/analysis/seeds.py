"""Seed families: whole replications of an experiment, and how much they differ.

Two families see the same tasks, so that they differ by their runs in any case. What a seed adds is
the variance between families less the variance that runs alone would give.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from goodhart_gap.analysis.distributions import chi_square_above
from goodhart_gap.analysis.estimands import RATES, Estimand, condition_sums
from goodhart_gap.analysis.outcomes import by_condition


def seed_table(outcomes: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """Every rate a condition and seed, for the variance between seed families."""
    rows = []
    for condition, group in by_condition(outcomes, conditions):
        for seed, family in group.groupby("seed", sort=True):
            for estimand in RATES:
                sums = condition_sums(family, estimand)
                value = sums.ratio
                rows.append(
                    {
                        "condition": condition,
                        "seed": seed,
                        "rate": estimand.name,
                        "numerator": int(sums.y.sum()),
                        "denominator": int(sums.x.sum()),
                        "estimate": value if np.isfinite(value) else None,
                        "note": "" if np.isfinite(value) else f"n/a ({estimand.undefined})",
                    }
                )
    return pd.DataFrame(rows)


VARIANCE_COLUMNS = [
    "condition",
    "rate",
    "label",
    "seeds",
    "mean",
    "low",
    "high",
    "deviation",
    "deviation_of_runs",
    "deviation_of_seeds",
    "p_value",
    "note",
]


def seed_variance_table(outcomes: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """How every rate varies between seed families, a row a condition and rate.

    `deviation` is the standard deviation of the families' rates, `deviation_of_runs` the one that
    runs alone would give, `deviation_of_seeds` the root of what is left of the variance (0 where
    nothing is). `p_value` tests that nothing is left (chi-square, families less one).
    """
    rows = [
        {"condition": condition, "rate": estimand.name, "label": estimand.label}
        | _variance(group, estimand)
        for condition, group in by_condition(outcomes, conditions)
        for estimand in RATES
    ]
    return pd.DataFrame(rows, columns=VARIANCE_COLUMNS)


def _variance(group: pd.DataFrame, estimand: Estimand) -> dict[str, Any]:
    families = [family for _, family in group.groupby("seed", sort=True)]
    rates = [condition_sums(family, estimand).ratio for family in families]
    values = np.array([rate for rate in rates if np.isfinite(rate)])
    if len(values) < 2:
        reason = "one seed family" if len(families) < 2 else estimand.undefined
        return {"seeds": len(values), "note": f"n/a ({reason})"}
    found = {
        "seeds": len(values),
        "mean": values.mean(),
        "low": values.min(),
        "high": values.max(),
        "deviation": values.std(ddof=1),
    }
    defined = [family for family, rate in zip(families, rates, strict=True) if np.isfinite(rate)]
    noise = float(np.mean([_run_variance(family, estimand) for family in defined]))
    if not np.isfinite(noise):
        return found | {"note": "n/a (one run)"}
    left = found["deviation"] ** 2 - noise
    squares = float(((values - values.mean()) ** 2).sum())
    unequal = 0.0 if squares else 1.0
    return found | {
        "deviation_of_runs": np.sqrt(noise),
        "deviation_of_seeds": np.sqrt(max(0.0, left)),
        "p_value": chi_square_above(squares / noise, len(values) - 1) if noise else unequal,
        "note": "",
    }


def _run_variance(family: pd.DataFrame, estimand: Estimand) -> float:
    """Variance of a family's rate over other runs of the same tasks; NaN with one run a task."""
    understands, executes = (
        family[name].to_numpy(np.float64) for name in ("understands", "executes")
    )
    y = estimand.numerator(understands, executes)
    x = estimand.denominator(understands, executes)
    deviations = pd.Series((y - y.sum() / x.sum() * x) / x.sum(), index=family.index)
    spread = deviations.groupby(family["task"]).agg(["size", "var"])
    return float((spread["size"] * spread["var"]).sum(skipna=False))
