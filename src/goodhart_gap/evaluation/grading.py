"""From the responses of one run to its outcomes: the per-run JSON of an experiment."""

from collections.abc import Iterable, Mapping
from typing import Any

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.answers import grade_answer
from goodhart_gap.evaluation.graders import GRADERS
from goodhart_gap.evaluation.grading_settings import GradingSettings
from goodhart_gap.evaluation.quadrants import quadrant
from goodhart_gap.evaluation.rubrics import Coverage, grade_explanation
from goodhart_gap.evaluation.tasks import Task
from goodhart_gap.evaluation.verdicts import Verdicts, judged

_SHARED = ("experiment", "model", "condition", "seed", "run")


def score_run(
    responses: Iterable[Mapping[str, Any]],
    tasks: Mapping[str, Task],
    run: int,
    settings: GradingSettings,
    verdicts: Verdicts | None = None,
) -> dict[str, Any]:
    """Return the outcomes of `run`, in the order of `tasks`; a judge's `verdicts` are only read.

    Raises GoodhartError when a task's execution or explanation of that run is missing, or a verdict
    that the settings call for.
    """
    found = {(row["task"], row["role"]): row for row in responses if row["run"] == run}
    outcomes = []
    for task in tasks.values():
        pair = [found.get((task.id, role)) for role in ("execution", "explanation")]
        for role, row in zip(("execution", "explanation"), pair, strict=True):
            if row is None:
                raise GoodhartError(
                    f"responses: run {run} of task '{task.id}' has no {role}; sample it again."
                )
        outcomes.append(score(task, pair[0] or {}, pair[1] or {}, settings, verdicts))
    first = next(iter(found.values()))
    shared = {key: first[key] for key in _SHARED}
    return {**shared, "grader": settings.name, "outcomes": outcomes}


def score(
    task: Task,
    execution: Mapping[str, Any],
    explanation: Mapping[str, Any],
    settings: GradingSettings,
    verdicts: Verdicts | None = None,
) -> dict[str, Any]:
    """Return one outcome: both grades, and the facts about the responses they rest on."""
    answer = grade_answer(task.answer, execution["text"], execution["truncated"])
    judge = verdicts or {} if settings.explanation == "judge" else None
    coverage = _coverage(task, explanation, judge)
    executes = answer.status == "correct"
    understands = coverage.status == "explained"
    if settings.grader != "concepts":
        grader = GRADERS[settings.grader]
        executes = grader(task, "execution", execution["text"], execution["truncated"])
        understands = grader(task, "explanation", explanation["text"], explanation["truncated"])
    return {
        "task": task.id,
        "category": task.category,
        "executes": executes,
        "understands": understands,
        "quadrant": quadrant(understands, executes),
        "answer": answer.record(),
        "explanation": coverage.record(),
        "execution_tokens": execution["n_tokens"],
        "explanation_tokens": explanation["n_tokens"],
        "execution_truncated": execution["truncated"],
        "explanation_truncated": explanation["truncated"],
        "explanation_characters": len(explanation["text"]),
        "template": task.template,
    }


def _coverage(task: Task, explanation: Mapping[str, Any], verdicts: Verdicts | None) -> Coverage:
    """Grade an explanation by its stored verdict, or by the rubric where `verdicts` is None."""
    if task.rubric is None:
        return Coverage("incomplete", (), ("no rubric",))
    text, truncated = explanation["text"], explanation["truncated"]
    if verdicts is not None:
        return judged(task, text, truncated, verdicts)
    return grade_explanation(task.rubric, text, truncated, tuple(task.prompts().values()))
