"""The descriptive tables: counts, rates with intervals, and what was cut or could not be read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from goodhart_gap.analysis.clustered import estimate_ratio, rate_interval
from goodhart_gap.analysis.distributions import wilson_interval
from goodhart_gap.analysis.estimands import RATES, Estimand, condition_sums
from goodhart_gap.analysis.outcomes import by_condition
from goodhart_gap.analysis.quadrants import QUADRANTS
from goodhart_gap.analysis.variance import design_effect, intraclass_correlation

ROLES = ("execution", "explanation")


def quadrant_table(outcomes: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """Counts and shares of the quadrants, a row a condition and quadrant."""
    rows = []
    for condition, group in by_condition(outcomes, conditions):
        counts = group["quadrant"].value_counts()
        for quadrant in QUADRANTS:
            count = int(counts.get(quadrant, 0))
            rows.append(
                {
                    "condition": condition,
                    "quadrant": quadrant,
                    "evaluations": len(group),
                    "count": count,
                    "share": count / len(group),
                }
            )
    return pd.DataFrame(rows)


def rate_table(
    outcomes: pd.DataFrame, conditions: Sequence[str], confidence: float
) -> pd.DataFrame:
    """DBDK, gap rate, understanding and execution, with clustered intervals.

    `independent_low` and `independent_high` are Wilson's interval as if all evaluations were
    independent draws, to show what ignoring the clusters would claim.
    """
    rows = [
        _rate_row(group, estimand, confidence) | {"condition": condition}
        for condition, group in by_condition(outcomes, conditions)
        for estimand in RATES
    ]
    table = pd.DataFrame(rows)
    return table[["condition", *[column for column in table if column != "condition"]]]


def count_table(
    outcomes: pd.DataFrame, conditions: Sequence[str], keys: Sequence[str]
) -> pd.DataFrame:
    """Counts a group (task, or category) and condition: quadrants, understood, executed."""
    by_quadrant = {name: outcomes["quadrant"] == name for name in QUADRANTS}
    cells = outcomes.assign(**by_quadrant).groupby([*keys, "condition"], sort=False)
    counts = cells.agg(
        evaluations=("task", "size"),
        **{name: (name, "sum") for name in (*QUADRANTS, "understands", "executes")},
        tasks=("task", "nunique"),
    )
    groups = outcomes[list(keys)].drop_duplicates().itertuples(index=False)
    wanted = [(*values, condition) for values in groups for condition in conditions]
    index = pd.MultiIndex.from_tuples(wanted, names=counts.index.names)
    return counts.reindex(index, fill_value=0).astype(int).reset_index()


def response_table(outcomes: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """Length, truncation and status of responses: a row a condition, role and status.

    `truncated`, its share and the means describe all responses of the condition and role and are
    blank where the outcomes do not record them; `share` is that of the status.
    """
    rows = []
    for condition, group in by_condition(outcomes, conditions):
        for role, status_column in zip(ROLES, ("answer_status", "explanation_status"), strict=True):
            truncated, tokens = group[f"{role}_truncated"], group[f"{role}_tokens"]
            characters = group["explanation_characters"] if role == "explanation" else None
            shared = {
                "condition": condition,
                "role": role,
                "responses": len(group),
                "truncated": (cut := _total(truncated)),
                "truncated_share": None if cut is None else cut / len(group),
                "mean_tokens": _mean(tokens),
                "mean_characters": None if characters is None else _mean(characters),
            }
            statuses = group[status_column].fillna("not recorded").value_counts()
            for status in sorted(statuses.index):
                count = int(statuses[status])
                rows.append(
                    shared | {"status": status, "count": count, "share": count / len(group)}
                )
    return pd.DataFrame(rows)


def coverage_table(
    outcomes: pd.DataFrame, conditions: Sequence[str], seeds: Sequence[int], runs: int
) -> pd.DataFrame:
    """Evaluations found and expected (tasks x seeds x runs), a row a condition."""
    tasks = outcomes["task"].nunique()
    expected = tasks * len(seeds) * runs
    return pd.DataFrame(
        {
            "condition": condition,
            "tasks": tasks,
            "expected": expected,
            "found": len(group),
            "missing": expected - len(group),
        }
        for condition, group in by_condition(outcomes, conditions)
    )


def _rate_row(group: pd.DataFrame, estimand: Estimand, confidence: float) -> dict[str, Any]:
    sums = condition_sums(group, estimand)
    estimate = estimate_ratio(sums, estimand.undefined)
    low, high, method = rate_interval(estimate, confidence)
    numerator, denominator = int(sums.y.sum()), int(sums.x.sum())
    wilson = (float("nan"), float("nan"))
    if denominator:
        wilson = wilson_interval(numerator, denominator, confidence)
    understands = group["understands"].to_numpy(np.float64)
    executes = group["executes"].to_numpy(np.float64)
    counted = estimand.denominator(understands, executes) > 0
    codes = pd.factorize(group["cluster"], sort=True)[0]
    return {
        "rate": estimand.name,
        "label": estimand.label,
        "numerator": numerator,
        "denominator": denominator,
        "tasks": estimate.clusters,
        "estimate": estimate.value,
        "standard_error": estimate.standard_error,
        "low": low,
        "high": high,
        "method": method,
        "independent_low": wilson[0],
        "independent_high": wilson[1],
        "intraclass_correlation": intraclass_correlation(
            estimand.numerator(understands, executes)[counted], codes[counted]
        ),
        "design_effect": design_effect(estimate, sums),
        "note": estimate.note,
    }


def _total(values: pd.Series) -> int | None:
    return int(values.sum()) if values.notna().all() and len(values) else None


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if values.notna().all() and len(values) else None
