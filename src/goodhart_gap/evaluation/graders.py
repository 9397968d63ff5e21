"""The graders by name: whether a text solves a task, or explains how it is solved.

A grader takes the task, the role of the response (`execution` or `explanation`), its text, and
whether it was cut at the token limit. Its name stands here and in `GradingSettings.grader`; with
that it is validated on the acceptance suite and the gold set, and the gate applies to it.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from goodhart_gap.evaluation import legacy
from goodhart_gap.evaluation.answers import grade_answer
from goodhart_gap.evaluation.rubrics import grade_explanation
from goodhart_gap.evaluation.tasks import Task

Role = Literal["execution", "explanation"]

Grader = Callable[[Task, Role, str, bool], bool]


def concepts(task: Task, role: Role, text: str, truncated: bool) -> bool:
    """Ours: typed answers and concept coverage."""
    if role == "execution":
        return grade_answer(task.answer, text, truncated).status == "correct"
    if task.rubric is None:
        return False
    prompts = tuple(task.prompts().values())
    return grade_explanation(task.rubric, text, truncated, prompts).status == "explained"


def original(task: Task, role: Role, text: str, _truncated: bool) -> bool:
    """The original experiment's rules."""
    return legacy.executes(task, text) if role == "execution" else legacy.understands(task, text)


GRADERS: Mapping[str, Grader] = {
    "concepts": concepts,
    "legacy": original,
}
