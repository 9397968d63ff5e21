"""Every figure the original documents state, recomputed from the recorded outcomes.

The stated figures are data (`config/records/stated.csv`): experiment, quantity, condition, subject
(a task or category, where there is one), the figure as it was written, its unit, and where it
stood. A figure counts as equal when the recomputed one, rounded to the digits stated, is the same.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize

from goodhart_gap.analysis.clustered import Estimate, estimate_difference, estimate_ratio
from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.distributions import shifted_t_above, t_quantile
from goodhart_gap.analysis.estimands import (
    condition_sums,
    estimand_named,
    pair_conditions,
    pair_sums,
)
from goodhart_gap.analysis.settings import ExperimentDesign, StatisticsSettings
from goodhart_gap.errors import GoodhartError

COLUMNS = ("experiment", "quantity", "condition", "subject", "stated", "unit", "about")
"""Columns of the table of stated figures."""

AUDIT_COLUMNS = [*COLUMNS, "label", "recomputed", "verdict", "note", "beside"]
"""`beside` is a share that the note ends with, where there is one."""


def audit_table(
    stated: list[dict[str, Any]],
    outcomes: Mapping[str, pd.DataFrame],
    designs: Mapping[str, ExperimentDesign],
    settings: Mapping[str, StatisticsSettings],
) -> pd.DataFrame:
    """Recompute every stated figure; a row a figure, `verdict` equal or different.

    `outcomes`, `designs` and `settings` are by experiment.
    """
    rows = []
    for row in stated:
        experiment, quantity = row["experiment"], row["quantity"]
        if experiment not in outcomes:
            raise GoodhartError(f"stated figures: experiment {experiment!r} has no outcomes.")
        if quantity not in QUANTITIES:
            raise GoodhartError(
                f"stated figures: quantity {quantity!r} is unknown; "
                f"use one of {', '.join(QUANTITIES)}."
            )
        label, compute = QUANTITIES[quantity]
        case = _Case(outcomes[experiment], designs[experiment], row, settings[experiment])
        value, note, *beside = compute(case)
        recomputed = _as_stated(value, row["unit"], str(row["stated"]))
        rows.append(
            row
            | {
                "label": label,
                "recomputed": recomputed,
                "verdict": "equal" if recomputed == str(row["stated"]) else "different",
                "note": note,
                "beside": beside[0] if beside else None,
            }
        )
    return pd.DataFrame(rows, columns=AUDIT_COLUMNS)


def total_table(audit: pd.DataFrame) -> pd.DataFrame:
    """How many figures were stated, how many are equal, and how many differ."""
    counts = audit["verdict"].value_counts()
    equal, different = (int(counts.get(name, 0)) for name in ("equal", "different"))
    names = ("stated", "equal", "different")
    return pd.DataFrame({"verdict": names, "figures": (len(audit), equal, different)})


def read_stated(path: Path) -> list[dict[str, Any]]:
    """Read the stated figures; the figure itself stays text, as its digits matter."""
    rows = read_rows(path, text=("stated",))
    missing = [column for column in COLUMNS if rows and column not in rows[0]]
    if missing:
        raise GoodhartError(f"{path}: column {missing[0]!r} is missing; add it.")
    return rows


class _Case:
    """One stated figure, with the outcomes it is about."""

    def __init__(
        self,
        outcomes: pd.DataFrame,
        design: ExperimentDesign,
        row: Mapping[str, Any],
        settings: StatisticsSettings,
    ) -> None:
        self.all = outcomes
        self.design = design
        self.settings = settings
        self.subject = row["subject"]
        self.mine = outcomes[outcomes["condition"] == row["condition"]]
        self.baseline = outcomes[outcomes["condition"] == design.baseline]
        if self.mine.empty:
            raise GoodhartError(
                f"stated figures: condition {row['condition']!r} of {row['experiment']!r} "
                "has no outcomes."
            )

    def of(self, column: str) -> pd.DataFrame:
        """The condition's evaluations of the subject (a task or a category)."""
        found = self.mine[self.mine[column] == self.subject]
        if found.empty:
            raise GoodhartError(f"stated figures: {column} {self.subject!r} has no outcomes.")
        return found

    def mean(self, column: str) -> float:
        """Mean over the condition's evaluations; NaN where one is not recorded."""
        values = self.mine[column]
        return float("nan") if values.isna().any() else float(values.mean())

    def paired(self) -> pd.DataFrame:
        """Quadrants of the condition and the baseline, same task, seed and run."""
        columns = ["task", "seed", "run", "quadrant"]
        return self.mine[columns].merge(
            self.baseline[columns], on=columns[:-1], suffixes=("_mine", "_baseline")
        )

    def rate(self, name: str) -> Estimate:
        """The condition's rate."""
        return estimate_ratio(condition_sums(self.mine, estimand_named(name)))


Result = tuple[float, str] | tuple[float, str, float]
"""The value, a note, and the share that the note ends with, where there is one."""


def _numerator(name: str) -> Callable[[_Case], Result]:
    return lambda case: (float(condition_sums(case.mine, estimand_named(name)).y.sum()), "")


def _denominator(name: str) -> Callable[[_Case], Result]:
    return lambda case: (float(condition_sums(case.mine, estimand_named(name)).x.sum()), "")


def _rate(name: str) -> Callable[[_Case], Result]:
    return lambda case: (case.rate(name).value, "")


def _standard_error(case: _Case) -> Result:
    estimate = case.rate("dbdk")
    if not estimate.defined:
        return (estimate.value, estimate.note)
    count = condition_sums(case.mine, estimand_named("dbdk")).x.sum()
    independent = np.sqrt(estimate.value * (1 - estimate.value) / count)
    return (
        estimate.standard_error,
        "clustered by task; if evaluations were independent:",
        float(independent),
    )


def _evaluations_needed(case: _Case) -> Result:
    """Evaluations at which the observed DBDK difference is found with the target power."""
    pairs = pair_conditions(case.mine, case.baseline)
    estimate = estimate_difference(*pair_sums(pairs, estimand_named("dbdk")), "no executed task")
    if not estimate.has_error or not estimate.value:
        return (float("nan"), estimate.note or "n/a (no change observed)")
    alpha, target = 1 - case.settings.confidence, case.settings.power_target

    def shortfall(tasks: float) -> float:
        error = estimate.standard_error * np.sqrt(estimate.clusters / tasks)
        limit = t_quantile(1 - alpha / 2, tasks - 1)
        return float(shifted_t_above(limit, tasks - 1, abs(estimate.value) / error)) - target

    tasks = optimize.brentq(shortfall, 3, 10**7)
    share = estimate.clusters / case.mine["cluster"].nunique()
    runs = len(case.mine) / case.mine["task"].nunique()
    return (
        float(np.ceil(tasks / share) * runs),
        "at the same runs a task, for the observed change in points:",
        estimate.value,
    )


def _identical_quadrants(case: _Case) -> Result:
    merged = case.paired()
    changed = merged[merged["quadrant_mine"] != merged["quadrant_baseline"]]
    moves = [
        f"{row.task} {row.quadrant_baseline} to {row.quadrant_mine}" for row in changed.itertuples()
    ]
    return (float(len(merged) - len(changed)), "; ".join(moves))


QUANTITIES: dict[str, tuple[str, Callable[[_Case], Result]]] = {
    "dbdk_numerator": ("DK evaluations", _numerator("dbdk")),
    "dbdk_denominator": ("executed evaluations (DBDK denominator)", _denominator("dbdk")),
    "dbdk": ("DBDK", _rate("dbdk")),
    "gap_rate_numerator": ("KF evaluations (gaps)", _numerator("gap_rate")),
    "gap_rate_denominator": (
        "understood evaluations (gap rate denominator)",
        _denominator("gap_rate"),
    ),
    "gap_rate": ("gap rate", _rate("gap_rate")),
    "understands": ("understood evaluations", _numerator("understands")),
    "executes": ("executed evaluations", _numerator("executes")),
    "explanation_characters": (
        "mean explanation length",
        lambda case: (case.mean("explanation_characters"), ""),
    ),
    "dk_of_task": (
        "DK evaluations of the task",
        lambda case: (float((case.of("task")["quadrant"] == "DK").sum()), ""),
    ),
    "evaluations_of_task": (
        "evaluations of the task",
        lambda case: (float(len(case.of("task"))), ""),
    ),
    "executes_of_category": (
        "executed evaluations of the category",
        lambda case: (float(case.of("category")["executes"].sum()), ""),
    ),
    "evaluations_of_category": (
        "evaluations of the category",
        lambda case: (float(len(case.of("category"))), ""),
    ),
    "identical_quadrants": ("tasks with the baseline's quadrant", _identical_quadrants),
    "pairs": ("tasks compared with the baseline", lambda case: (float(len(case.paired())), "")),
    "dbdk_standard_error": ("standard error of DBDK", _standard_error),
    "evaluations_needed": ("evaluations a condition to confirm the effect", _evaluations_needed),
}
"""How each stated quantity is recomputed, with the name documents give it."""


def _as_stated(value: float, unit: str, stated: str) -> str:
    """Round a value to the digits of the stated figure."""
    if not np.isfinite(value):
        return "n/a"
    digits = len(stated.partition(".")[2])
    return f"{100 * value if unit == 'percent' else value:.{digits}f}"
