"""How good the graders are, as the statistics and documents use it."""

import math
from itertools import product
from typing import Any, Literal

import pandas as pd

from goodhart_gap.analysis.documents import Rows, where
from goodhart_gap.evaluation.validation import corrected_rate, gate_shortfalls

Gate = Literal["passed", "failed", "not measured"]

ROLES = {"understands": "explanation", "executes": "execution"}
"""The role whose grader decides each rate."""


IMPOSSIBLE = "n/a (no rate fits the grader's errors on the labels)"
"""The note where the correction lies outside [0, 1]."""


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

    Only rates of a single role have a correction. `corrected_low` and `corrected_high` are the
    lowest and highest correction with rate, sensitivity and specificity anywhere in their
    intervals. A correction outside [0, 1] is left blank: clipped, it would hide what differs
    between conditions. Blanks have a note.
    """
    columns = ["condition", "rate", "label", "estimate"]
    columns += ["corrected", "corrected_low", "corrected_high", "note"]
    found = []
    for rate in rates:
        role = ROLES.get(rate["rate"])
        for row in where(rows, grader=grader, set="gold", role=role) if role else []:
            found.append(rate | _corrected(rate, row))
    return pd.DataFrame(found, columns=columns)


def _corrected(rate: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    if not _known(rate["estimate"]):
        return {}
    names = ("sensitivity", "specificity")
    if not all(_known(row[name]) for name in names):
        return {"note": "n/a (the grader's errors are unknown)"}
    value = corrected_rate(rate["estimate"], row["sensitivity"], row["specificity"])
    if math.isnan(value):
        return {"note": "n/a (grader no better than chance)"}
    ends = [(rate["low"], rate["high"])]
    ends += [(row[f"{name}_low"], row[f"{name}_high"]) for name in names]
    low, high, note = _extremes(ends)
    # Rounding must not put a rate of 0 or 1 outside.
    fits = 0 <= round(value, 9) <= 1
    return {
        "corrected": value if fits else None,
        "corrected_low": low,
        "corrected_high": high,
        "note": note if fits else IMPOSSIBLE,
    }


def _extremes(ends: list[tuple[Any, Any]]) -> tuple[float | None, float | None, str]:
    """Return the lowest and highest correction between `ends` within [0, 1], or why there is none.

    The correction is monotonic in rate, sensitivity and specificity each as long as the grader is
    better than chance, so that the corners hold its extremes.
    """
    if not all(_known(end) for pair in ends for end in pair):
        return (None, None, "n/a (one of its intervals is unknown)")
    corners = [corrected_rate(*corner) for corner in product(*ends)]
    if any(math.isnan(corner) for corner in corners):
        return (None, None, "n/a (the grader may be no better than chance)")
    low, high = max(min(corners), 0.0), min(max(corners), 1.0)
    return (low, high, "") if low <= high else (None, None, IMPOSSIBLE)


def _known(value: Any) -> bool:
    return value is not None and not math.isnan(value)
