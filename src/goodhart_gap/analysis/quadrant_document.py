"""What QUADRANTS.md is rendered from: every task's quadrants, and which tasks moved where."""

from typing import Any

from goodhart_gap.analysis.documents import Rows, where
from goodhart_gap.analysis.quadrants import QUADRANTS
from goodhart_gap.analysis.settings import ExperimentFacts

DATA_FILES = ("templates/QUADRANTS.md.jinja",)


def quadrant_context(
    outcomes: Rows, by_task: Rows, transitions: Rows, facts: ExperimentFacts
) -> dict[str, Any]:
    """Return the context of QUADRANTS.md.jinja from outcomes.csv, by_task.csv, transitions.csv."""
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
        "transitions": transitions,
        "moves": _moves(outcomes, facts),
        "where": where,
    }


def _cell(row: dict[str, Any], single: bool) -> str:
    found = [(name, row[name]) for name in QUADRANTS if row[name]]
    if not found:
        return "n/a (no evaluation)"
    return ", ".join(name if single else f"{name} {count}" for name, count in found)


def _moves(outcomes: Rows, facts: ExperimentFacts) -> Rows:
    """Tasks that changed quadrant, by condition and transition; counts where there are runs."""
    places = {
        (row["condition"], row["task"], row["seed"], row["run"]): row["quadrant"]
        for row in outcomes
    }
    counts: dict[tuple[str, str, str], dict[str, int]] = {}
    for (condition, task, seed, run), after in places.items():
        before = places.get((facts.baseline, task, seed, run))
        if condition != facts.baseline and before is not None and before != after:
            tasks = counts.setdefault((condition, before, after), {})
            tasks[task] = tasks.get(task, 0) + 1
    return [
        {
            "condition": condition,
            "from": before,
            "to": after,
            "tasks": [f"{task} ({n})" if n > 1 else str(task) for task, n in tasks.items()],
        }
        for (condition, before, after), tasks in sorted(counts.items())
    ]
