"""What results/README.md is rendered from: a section an experiment, with its headline."""

import re
from typing import Any

from goodhart_gap.analysis.documents import Rows, one, where

DATA_FILES = ("templates/OVERVIEW.md.jinja",)
"""The template, so that the code digest covers it."""

HEADLINES = 3
"""Changes shown for an experiment: those furthest from none."""

RATES = ("executes", "understands", "dbdk")
"""Rates shown of a condition."""


def overview_context(
    runs: Rows, rates: dict[str, Rows], comparisons: dict[str, Rows]
) -> dict[str, Any]:
    """Return the context of OVERVIEW.md.jinja; tables by experiment."""
    return {
        "experiments": [
            run
            | {"links": run["documents"].split(), "anchor": _anchor(run["experiment"])}
            | _headline(rates[run["experiment"]], comparisons[run["experiment"]])
            for run in runs
        ]
    }


def _headline(rates: Rows, comparisons: Rows) -> dict[str, Any]:
    """Return the rows of the baseline and of the largest changes, and how many are left out.

    `more` changed less; of `undefined` nothing is known.
    """
    changes = where(comparisons, estimand="executes")
    known = [row for row in changes if row["difference"] is not None]
    known.sort(key=lambda row: abs(row["difference"]), reverse=True)
    compared = {row["condition"] for row in comparisons}
    first = [row["condition"] for row in rates if row["condition"] not in compared][:1]
    shown: list[tuple[str, dict[str, Any] | None]] = [(name, None) for name in first]
    shown += [(row["condition"], row) for row in known[:HEADLINES]]
    rows = [
        {"condition": condition, "change": change}
        | {rate: one(rates, condition=condition, rate=rate) for rate in RATES}
        for condition, change in shown
    ]
    return {
        "rows": rows,
        "more": len(known[HEADLINES:]),
        "undefined": len(changes) - len(known),
    }


def _anchor(title: str) -> str:
    """Return the link to a section of that title, as forges make it."""
    return re.sub(r"[^a-z0-9_ -]", "", title.lower()).replace(" ", "-")
