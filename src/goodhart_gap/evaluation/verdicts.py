"""Verdicts of a judge on explanations: what it is asked, and how its text is read.

A verdict belongs to a task and a text, whatever model, condition, seed or run the text came from:
the judge is blind to these, and equal texts get one verdict. Verdicts are stored as responses are,
whole, so that scoring only reads them.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.commitment import is_refusal
from goodhart_gap.evaluation.judge_settings import JudgeSettings
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.rubrics import Coverage
from goodhart_gap.evaluation.tasks import Task

Judge = Callable[[Sequence[Prompt]], Sequence[Mapping[str, Any]]]
"""Answers prompts, in their order, with records as a responses file has them."""

Verdicts = Mapping[tuple[str, str], Mapping[str, Any]]
"""Verdict by task and `text_sha256` of the explanation."""

ROLE = "judge"
"""Role of the prompts a judge is given."""

_VERDICT = re.compile(r"^\W*verdict\W*(yes|no)\W*$", re.IGNORECASE | re.MULTILINE)
"""A line of its own: a judge that repeats what it was asked states no verdict."""


def text_sha256(text: str) -> str:
    """Return the hash an explanation is known by."""
    return hashlib.sha256(text.encode()).hexdigest()


def judge_prompt(task: Task, text: str, settings: JudgeSettings) -> Prompt:
    """Return what the judge is asked about `text`; only task and text enter."""
    assert task.rubric is not None
    steps = "\n".join(f"{place}. {step}" for place, step in enumerate(task.rubric.steps, start=1))
    asked = settings.prompt.format(
        problem=task.execution_prompt, steps=steps, explanation=text.strip()
    )
    return Prompt(f"{task.id}/{text_sha256(text)[:16]}", ROLE, asked)


def judge_explanations(
    rows: Iterable[Mapping[str, Any]],
    tasks: Mapping[str, Task],
    settings: JudgeSettings,
    judge: Judge,
) -> list[dict[str, Any]]:
    """Return a verdict for each explanation among the responses `rows`, in their order.

    Empty texts and tasks without a rubric need no judge and get no verdict.
    """
    explanations = [
        row
        for row in rows
        if row["role"] == "explanation" and needs_judge(tasks.get(row["task"]), row["text"])
    ]
    prompts = [judge_prompt(tasks[row["task"]], row["text"], settings) for row in explanations]
    unique = {prompt.task: prompt for prompt in prompts}
    answers = dict(zip(unique, judge(list(unique.values())), strict=True))
    kept = ("prompt", "text", "n_tokens", "stop_reason", "truncated")
    return [
        {key: row[key] for key in ("condition", "seed", "run", "task")}
        | {"explanation_sha256": text_sha256(row["text"])}
        | {key: answers[prompt.task][key] for key in kept}
        for row, prompt in zip(explanations, prompts, strict=True)
    ]


def needs_judge(task: Task | None, text: str) -> bool:
    """Whether there is anything to judge."""
    return task is not None and task.rubric is not None and bool(text.strip())


def by_text(rows: Iterable[Mapping[str, Any]]) -> Verdicts:
    """Return stored verdicts by task and text."""
    return {(row["task"], row["explanation_sha256"]): row for row in rows}


def read_verdict(text: str) -> Literal["yes", "no"] | None:
    """Return the last verdict that `text` states, or None where it states none."""
    found = _VERDICT.findall(text)
    return found[-1].lower() if found else None


def judged(task: Task, text: str, truncated: bool, verdicts: Verdicts) -> Coverage:
    """Return the grade of an explanation from its stored verdict.

    A verdict that cannot be read grades nothing: its status is `unjudged`, and it does not count as
    understood. Raises GoodhartError when there should be a verdict and is none.
    """
    if not text.strip():
        return Coverage("empty", (), ())
    row = verdicts.get((task.id, text_sha256(text)))
    if row is None:
        raise GoodhartError(
            f"verdicts: an explanation of task '{task.id}' has none; run judge_responses again."
        )
    verdict = read_verdict(row["text"])
    if verdict is None:
        return Coverage("unjudged", (), ())
    if verdict == "yes":
        return Coverage("explained", (), ())
    if is_refusal(text):
        return Coverage("refused", (), ())
    return Coverage("truncated" if truncated else "incomplete", (), ())
