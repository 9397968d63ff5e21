"""Published experiments as tables of facts, and from there to outcomes.

A facts table holds what may be restated of a published run: outcomes, classes, lengths. It is made
once from the original files (`facts_from_published`) and kept in the project; `outcomes_of_run`
turns it into the outcome files a live experiment would have.
"""

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from goodhart_gap.analysis.answer_classes import ANSWER_CLASSES, classify_answer
from goodhart_gap.analysis.quadrants import quadrant_of
from goodhart_gap.errors import GoodhartError

COLUMNS = (
    "task",
    "category",
    "run",
    "condition",
    "understands",
    "executes",
    "answer_class",
    "explanation_characters",
)
"""Columns of a facts table; `explanation_characters` is blank where it was not published."""

RUN_SUFFIX = re.compile(r"^(?P<task>.+)_run(?P<run>\d+)$")

Facts = dict[str, Any]
"""One row of a facts table: an evaluation."""


def facts_from_published(
    text: str, condition: str, tasks: Mapping[str, Any], name: str
) -> list[Facts]:
    """Turn one published result file (JSON text) into facts.

    `tasks` maps a task to its operands and intermediate results; `name` is the file, for errors.
    """
    try:
        results = json.loads(text)["results"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise GoodhartError(
            f"{name}: not a published result file ({error}); give one with a `results` list."
        ) from error
    return [_fact(result, condition, tasks) for result in results]


def read_task_values(path: Path) -> dict[str, Any]:
    """Read operands and intermediate results a task from a task file."""
    tasks = yaml.safe_load(path.read_text(encoding="utf-8"))["tasks"]
    return {
        task["id"]: {
            "operands": [str(value) for value in task.get("operands", ())],
            "intermediates": [str(value) for value in task.get("intermediates", ())],
        }
        for task in tasks
    }


def write_facts(path: Path, facts: list[Facts]) -> None:
    """Write a facts table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for fact in facts:
            writer.writerow({key: "" if fact[key] is None else fact[key] for key in COLUMNS})


def read_facts(path: Path) -> list[Facts]:
    """Read a facts table. Raises GoodhartError naming the line and column that is wrong."""
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise GoodhartError(f"{path}: column {missing[0]!r} is missing; add it.")
        facts = [_checked(row, f"{path}: line {reader.line_num}") for row in reader]
    if not facts:
        raise GoodhartError(f"{path}: the table holds no evaluation; import it again.")
    seen: set[tuple[Any, ...]] = set()
    for fact in facts:
        key = (fact["condition"], fact["run"], fact["task"])
        if key in seen:
            raise GoodhartError(
                f"{path}: task {fact['task']!r} of condition {fact['condition']!r}, "
                f"run {fact['run']}, stands twice; remove one of the rows."
            )
        seen.add(key)
    return facts


def outcomes_of_run(
    facts: list[Facts], *, experiment: str, model: str, condition: str, seed: int, run: int
) -> dict[str, Any]:
    """Return the outcome file of one condition and run, as `score_responses` would write it.

    What the record does not hold is null. Raises GoodhartError when it holds no such run.
    """
    rows = [fact for fact in facts if fact["condition"] == condition and fact["run"] == run]
    if not rows:
        raise GoodhartError(
            f"record of {experiment}: condition {condition!r} has no run {run}; "
            "correct the experiment's conditions and runs."
        )
    return {
        "experiment": experiment,
        "model": model,
        "condition": condition,
        "seed": seed,
        "run": run,
        "grader": "published",
        "outcomes": [_outcome(fact) for fact in rows],
    }


def _fact(result: dict[str, Any], condition: str, tasks: Mapping[str, Any]) -> Facts:
    named = RUN_SUFFIX.match(result["id"])
    task = named["task"] if named else result["id"]
    values = tasks.get(task, {})
    return {
        "task": task,
        "category": result["category"],
        "run": int(named["run"]) if named else 0,
        "condition": condition,
        "understands": int(result["understands"]),
        "executes": int(result["executes_correctly"]),
        "answer_class": classify_answer(
            result["extracted_answer"],
            result["correct_answer"],
            values.get("operands", ()),
            values.get("intermediates", ()),
        ),
        "explanation_characters": result.get("explanation_length"),
    }


def _checked(row: dict[str, str], place: str) -> Facts:
    fact: Facts = dict(row)
    for column in ("understands", "executes"):
        if row[column] not in ("0", "1"):
            raise GoodhartError(f"{place}: {column} is {row[column]!r}; write 0 or 1.")
        fact[column] = int(row[column])
    for column in ("run", "explanation_characters"):
        if column == "explanation_characters" and not row[column]:
            fact[column] = None
        elif row[column] is not None and row[column].isdigit():
            fact[column] = int(row[column])
        else:
            raise GoodhartError(f"{place}: {column} is {row[column]!r}; write a whole number.")
    if row["answer_class"] not in ANSWER_CLASSES:
        raise GoodhartError(
            f"{place}: answer_class is {row['answer_class']!r}; "
            f"use one of {', '.join(ANSWER_CLASSES)}."
        )
    return fact


def _outcome(fact: Facts) -> dict[str, Any]:
    understands, executes = bool(fact["understands"]), bool(fact["executes"])
    return {
        "task": fact["task"],
        "category": fact["category"],
        "executes": executes,
        "understands": understands,
        "quadrant": quadrant_of(understands, executes),
        "answer": {"status": fact["answer_class"], "value": None, "expected": None},
        "explanation": None,
        "execution_tokens": None,
        "explanation_tokens": None,
        "execution_truncated": None,
        "explanation_truncated": None,
        "explanation_characters": fact["explanation_characters"],
        "template": None,
    }
