"""How good the graders are, as the statistics and documents use it."""

from typing import Any, Literal

import pandas as pd

from goodhart_gap.analysis.documents import Rows, where
from goodhart_gap.evaluation.validation import corrected_rate, gate_shortfalls

Gate = Literal["passed", "failed", "not measured"]

ROLES = {"understands": "explanation", "executes": "execution"}
"""The role whose grader decides each rate."""


def grader_gate(rows: Rows, grader: str) -> Gate:
    """Whether `grader` reached the accuracy required of it, from the rows of graders.csv."""
    if not where(rows, grader=grader, set="gold"):
        return "not measured"
    return "failed" if gate_shortfalls(rows, grader) else "passed"


def gate_table(rows: Rows, grader: str | None) -> pd.DataFrame:
    """One row: the grader, and whether it passed its gate."""
    gate = grader_gate(rows, grader) if grader else "not measured"
    return pd.DataFrame([{"grader": grader, "gate": gate}])


def corrected_table(rates: Rows, rows: Rows, grader: str) -> pd.DataFrame:
    """Rates as graded beside those corrected for the grader's errors (Rogan and Gladen 1978).

    Only rates of a single role have a correction. Blank where sensitivity and specificity are
    unknown or no better than chance.
    """
    columns = ["condition", "rate", "label", "estimate", "corrected", "note"]
    found = []
    for rate in rates:
        role = ROLES.get(rate["rate"])
        for row in where(rows, grader=grader, set="gold", role=role) if role else []:
            found.append(rate | {"corrected": _corrected(rate, row)})
    return pd.DataFrame(found, columns=columns)


def _corrected(rate: dict[str, Any], row: dict[str, Any]) -> float | None:
    if None in (rate["estimate"], row["sensitivity"], row["specificity"]):
        return None
    value = corrected_rate(rate["estimate"], row["sensitivity"], row["specificity"])
    return value if value == value else None
