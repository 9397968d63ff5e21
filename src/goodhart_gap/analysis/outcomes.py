"""Per-run outcome files in, one table with a row an evaluation out.

An evaluation is one (condition, seed, run, task). What is read is checked here, once, so that
the estimators may assume a clean table: known quadrants that agree with their two booleans, no
evaluation twice, one category a task.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from goodhart_gap.analysis.quadrants import QUADRANTS, quadrant_of
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json

KEY = ["condition", "seed", "run", "task"]
"""What identifies an evaluation."""

COLUMNS = [
    "experiment",
    "model",
    "condition",
    "seed",
    "run",
    "task",
    "category",
    "template",
    "cluster",
    "executes",
    "understands",
    "quadrant",
    "answer_status",
    "answer_value",
    "answer_expected",
    "explanation_status",
    "execution_tokens",
    "explanation_tokens",
    "execution_truncated",
    "explanation_truncated",
    "explanation_characters",
]
"""Columns of outcomes.csv. `cluster` is the template where there is one, else the task."""

INTEGERS = [
    "seed",
    "run",
    "executes",
    "understands",
    "execution_tokens",
    "explanation_tokens",
    "execution_truncated",
    "explanation_truncated",
    "explanation_characters",
]


def read_outcomes(paths: Iterable[Path]) -> pd.DataFrame:
    """Read outcome files into one table with `COLUMNS`.

    Raises GoodhartError when a file lacks a key, a quadrant is unknown or disagrees with its
    booleans, an evaluation occurs twice, or a task has two categories.
    """
    rows: list[dict[str, Any]] = []
    for path in paths:
        rows.extend(_rows_of(path, read_json(path)))
    if not rows:
        raise GoodhartError("no outcomes: the outcome files hold no evaluation; score some runs.")
    return check_outcomes(_typed(pd.DataFrame(rows, columns=COLUMNS)))


def read_outcome_table(path: Path) -> pd.DataFrame:
    """Read outcomes.csv back, with the types it was written with."""
    try:
        table = pd.read_csv(path, dtype={"task": str, "template": str, "cluster": str})
    except pd.errors.EmptyDataError as error:
        raise GoodhartError(f"{path}: the table is empty; delete it and rerun.") from error
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise GoodhartError(f"{path}: column {missing[0]!r} is missing; delete it and rerun.")
    return check_outcomes(_typed(table[COLUMNS]))


def select_conditions(table: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """Return the table sorted by the given condition order; refuse a condition with no outcome."""
    present = set(table["condition"])
    for condition in conditions:
        if condition not in present:
            raise GoodhartError(
                f"outcomes: condition {condition!r} has no evaluation; "
                "score its runs or take it out of the experiment."
            )
    kept = table[table["condition"].isin(conditions)]
    order = kept["condition"].map({name: place for place, name in enumerate(conditions)})
    return (
        kept.assign(_order=order)
        .sort_values(["_order", "seed", "run"], kind="stable")
        .drop(columns="_order")
        .reset_index(drop=True)
    )


def by_condition(
    table: pd.DataFrame, conditions: Sequence[str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield every condition with its evaluations."""
    for condition in conditions:
        yield condition, table[table["condition"] == condition]


def check_outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table when its rows are consistent. Raises GoodhartError otherwise."""
    for row in table.itertuples():
        if row.quadrant not in QUADRANTS:
            raise GoodhartError(
                f"outcomes: {_name(row)}: quadrant {row.quadrant!r} is unknown; "
                f"use one of {', '.join(QUADRANTS)}."
            )
        expected = quadrant_of(bool(row.understands), bool(row.executes))
        if row.quadrant != expected:
            raise GoodhartError(
                f"outcomes: {_name(row)}: quadrant {row.quadrant!r} disagrees with its booleans "
                f"(they say {expected!r}); score the run again."
            )
    repeated = table[table.duplicated(KEY)]
    if len(repeated):
        first = next(iter(repeated.itertuples()))
        raise GoodhartError(
            f"outcomes: {_name(first)} occurs more than once; keep one file a run and seed."
        )
    categories = table.groupby("task")["category"].nunique()
    ambiguous = categories[categories > 1]
    if len(ambiguous):
        raise GoodhartError(
            f"outcomes: task {ambiguous.index[0]!r} has more than one category; "
            "score every condition against the same frozen tasks."
        )
    return table


def _rows_of(path: Path, record: Any) -> list[dict[str, Any]]:
    try:
        shared = {key: record[key] for key in ("experiment", "model", "condition", "seed", "run")}
        return [shared | _row(outcome) for outcome in record["outcomes"]]
    except (KeyError, TypeError) as error:
        raise GoodhartError(
            f"{path}: key {error} is missing or not of the expected form; score the run again."
        ) from error


def _row(outcome: dict[str, Any]) -> dict[str, Any]:
    answer = outcome.get("answer") or {}
    explanation = outcome.get("explanation") or {}
    return {
        "task": outcome["task"],
        "category": outcome["category"],
        "template": outcome.get("template"),
        "cluster": outcome.get("template") or outcome["task"],
        "executes": bool(outcome["executes"]),
        "understands": bool(outcome["understands"]),
        "quadrant": outcome["quadrant"],
        "answer_status": answer.get("status"),
        "answer_value": answer.get("value"),
        "answer_expected": answer.get("expected"),
        "explanation_status": explanation.get("status"),
        "execution_tokens": outcome.get("execution_tokens"),
        "explanation_tokens": outcome.get("explanation_tokens"),
        "execution_truncated": outcome.get("execution_truncated"),
        "explanation_truncated": outcome.get("explanation_truncated"),
        "explanation_characters": outcome.get("explanation_characters"),
    }


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(
        **{column: table[column].astype("Float64").astype("Int64") for column in INTEGERS}
    )


def _name(row: Any) -> str:
    return f"task {row.task!r} of condition {row.condition!r}, seed {row.seed}, run {row.run}"
