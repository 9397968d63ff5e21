"""What results/README.md is rendered from: a row an experiment, and its headline."""

from typing import Any

from goodhart_gap.analysis.documents import Rows, where

DATA_FILES = ("templates/OVERVIEW.md.jinja",)
"""The template, so that the code digest covers it."""

HEADLINES = 3
"""Changes shown for an experiment: those furthest from none."""


def overview_context(
    runs: Rows, rates: dict[str, Rows], comparisons: dict[str, Rows]
) -> dict[str, Any]:
    """Return the context of OVERVIEW.md.jinja; tables by experiment."""
    return {
        "experiments": [
            run
            | {
                "links": run["documents"].split(),
                "minutes": run["seconds"] / 60,
                "headline": _headline(rates[run["experiment"]], comparisons[run["experiment"]]),
            }
            for run in runs
        ]
    }


def _headline(rates: Rows, comparisons: Rows) -> dict[str, Any]:
    changes = [row for row in where(comparisons, estimand="executes") if row["pairs"]]
    known = [row for row in changes if row["difference"] is not None]
    known.sort(key=lambda row: abs(row["difference"]), reverse=True)
    compared = {row["condition"] for row in comparisons}
    baseline = next((row["condition"] for row in rates if row["condition"] not in compared), "")
    return {
        "baseline": where(rates, condition=baseline, rate="executes")[:1],
        "changes": known[:HEADLINES],
        "more": len(changes) - len(known[:HEADLINES]),
    }
