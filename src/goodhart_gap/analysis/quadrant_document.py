"""What QUADRANTS.md is rendered from: every task's quadrants, and which tasks moved where."""

from typing import Any

from goodhart_gap.analysis.documents import Rows, one, where
from goodhart_gap.analysis.quadrants import QUADRANTS
from goodhart_gap.analysis.settings import ExperimentFacts

DATA_FILES = ("templates/QUADRANTS.md.jinja",)


def quadrant_context(
    by_task: Rows, moves: Rows, flips: Rows, facts: ExperimentFacts
) -> dict[str, Any]:
    """Return the context of QUADRANTS.md.jinja from by_task.csv, moves.csv and flips.csv."""
    names = list(dict.fromkeys(row["task"] for row in by_task))
    single = all(row["evaluations"] <= 1 for row in by_task)
    tasks = []
    for name in names:
        rows = where(by_task, task=name)
        tasks.append(
            {
                "name": name,
                "category": rows[0]["category"],
                "cells": [
                    _cell(row, single)
                    for condition in facts.conditions
                    for row in where(rows, condition=condition)
                ],
            }
        )
    return {
        "facts": facts,
        "single": single,
        "tasks": tasks,
        "flips": flips,
        "moves": _by_transition(moves),
        "one": one,
    }


def _cell(row: dict[str, Any], single: bool) -> str:
    found = [(name, row[name]) for name in QUADRANTS if row[name]]
    if not found:
        return "n/a (no evaluation)"
    return ", ".join(name if single else f"{name} {count}" for name, count in found)


def _by_transition(moves: Rows) -> Rows:
    """Tasks that changed quadrant, by condition and transition; counts where there are several."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for row in moves:
        shown = f"{row['task']} ({row['count']})" if row["count"] > 1 else str(row["task"])
        grouped.setdefault((row["condition"], row["from"], row["to"]), []).append(shown)
    return [
        {"condition": condition, "from": before, "to": after, "tasks": tasks}
        for (condition, before, after), tasks in sorted(grouped.items())
    ]
