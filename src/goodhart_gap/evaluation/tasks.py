"""Tasks as data: prompts, a typed answer, and the concepts a correct explanation must hold.

A task set (`goodhart_gap.evaluation.task_sets`) is frozen to JSON lines before anything is sampled:
`prompts.jsonl` holds what the sampler needs and `tasks.jsonl` what the graders need, apart, so that
a changed rubric resamples nothing.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.patterns import check_pattern
from goodhart_gap.files import read_jsonl
from goodhart_gap.settings import Settings

CLOCK_TIME = r"^(1[0-2]|[1-9])(:[0-5]\d)? (AM|PM)$"


class NumberAnswer(Settings):
    """A number, with the unit it is asked in."""

    kind: Literal["number"]
    """Marks the type."""

    value: float
    """The correct value, in `unit`."""

    unit: str | None = None
    """Unit asked for, as pint names it (`dollar`, `euro`, `mile`, `degree_Celsius`); another unit
    in a response is converted where that can be done, and wrong where it cannot."""

    tolerance: float = Field(default=0.005, ge=0)
    """Largest absolute difference that still counts, in `unit`."""


class TimeAnswer(Settings):
    """A time of day."""

    kind: Literal["time"]
    """Marks the type."""

    value: str = Field(pattern=CLOCK_TIME)
    """Twelve-hour clock with AM or PM: `4:15 PM`."""


class DurationAnswer(Settings):
    """A length of time."""

    kind: Literal["duration"]
    """Marks the type."""

    minutes: float = Field(ge=0)
    """The correct length in minutes."""

    unit: Literal["minute", "hour", "day"] | None = None
    """What a number without a unit means; None where the prompt asks for no particular unit."""


class OrderingAnswer(Settings):
    """Items in a certain order."""

    kind: Literal["ordering"]
    """Marks the type."""

    items: tuple[str, ...] = Field(min_length=2)
    """All items, in the order asked for."""


class SetAnswer(Settings):
    """A set of items; the order does not matter."""

    kind: Literal["set"]
    """Marks the type."""

    items: tuple[str, ...]
    """The members."""

    universe: tuple[str, ...] = ()
    """Items that a wrong answer may hold; needed where items are names rather than numbers."""


class ChoiceAnswer(Settings):
    """One of several names."""

    kind: Literal["choice"]
    """Marks the type."""

    value: str
    """The correct name."""

    options: tuple[str, ...] = Field(min_length=2)
    """Everything that could be named, the correct one included."""

    @model_validator(mode="after")
    def _value_is_an_option(self) -> "ChoiceAnswer":
        if self.value not in self.options:
            raise ValueError(f"value '{self.value}' is not one of the options")
        return self


Answer = Annotated[
    NumberAnswer | TimeAnswer | DurationAnswer | OrderingAnswer | SetAnswer | ChoiceAnswer,
    Field(discriminator="kind"),
]


class Concept(Settings):
    """A step that a correct explanation states, in any of several ways."""

    name: str
    """Short name, shown in tables of what explanations lack."""

    any_of: tuple[str, ...] = Field(min_length=1)
    """Patterns (see `goodhart_gap.evaluation.patterns`); one that matches a sentence is enough."""

    after: tuple[str, ...] = ()
    """Names of concepts that must be stated before this one."""

    @model_validator(mode="after")
    def _patterns_are_well_formed(self) -> "Concept":
        for pattern in self.any_of:
            check_pattern(pattern)
        return self


class Rubric(Settings):
    """What a correct explanation holds, and examples the grader is tested with."""

    concepts: tuple[Concept, ...] = Field(min_length=1)
    """Steps that must all be stated."""

    misconceptions: tuple[str, ...] = ()
    """Patterns of procedures that are wrong; one that matches vetoes the explanation."""

    steps: tuple[str, ...] = Field(min_length=1)
    """A correct explanation, in parts none of which can be left out."""

    paraphrases: tuple[str, ...] = ()
    """The same procedure in other words."""

    @property
    def reference(self) -> str:
        """The steps in one text."""
        return " ".join(self.steps)

    @model_validator(mode="after")
    def _names_and_patterns(self) -> "Rubric":
        names = [concept.name for concept in self.concepts]
        if len(set(names)) < len(names):
            raise ValueError(f"two concepts have one name: {names}")
        for concept in self.concepts:
            unknown = set(concept.after) - set(names)
            if unknown:
                raise ValueError(f"concept '{concept.name}' comes after unknown {sorted(unknown)}")
        for pattern in self.misconceptions:
            check_pattern(pattern)
        return self


class Task(Settings):
    """One problem, asked twice: solve it, and explain how it is solved."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Name of the task, unique in its set."""

    category: str = Field(pattern=r"^[a-z0-9_]+$")
    """Kind of problem."""

    difficulty: Literal["easy", "medium", "hard"]
    """Our guess before any model was run."""

    steps: int = Field(gt=0)
    """Number of operations a solution takes."""

    execution_prompt: str = Field(min_length=1)
    """Asks for the answer."""

    explanation_prompt: str = Field(min_length=1)
    """Asks for the procedure."""

    answer: Answer
    """The correct answer, typed."""

    operands: tuple[str, ...] = ()
    """Values the prompt gives; none of them is a correct answer."""

    intermediates: tuple[str, ...] = ()
    """Values met on the way; none of them is a correct answer."""

    rubric: Rubric | None = None
    """How explanations are graded; None where a task is only executed (imported files)."""

    legacy_keywords: tuple[str, ...] = ()
    """Words the legacy grader counts in an explanation."""

    template: str | None = None
    """Template the task was generated from; None for a task written by hand."""

    parameters: dict[str, Any] = Field(default_factory=dict)
    """What the template was filled with."""

    def sha256(self) -> str:
        """Return the hash of the task's canonical JSON."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def prompts(self) -> dict[str, str]:
        """Return the two prompts by role."""
        return {"execution": self.execution_prompt, "explanation": self.explanation_prompt}


def frozen_rows(tasks: Iterable[Task]) -> list[dict[str, Any]]:
    """Return the lines of `tasks.jsonl`: each task's fields and its own `sha256`."""
    return [{**task.model_dump(mode="json"), "sha256": task.sha256()} for task in tasks]


def prompt_rows(tasks: Iterable[Task]) -> list[dict[str, str]]:
    """Return the lines of `prompts.jsonl`: one a task and role."""
    return [
        {"task": task.id, "role": role, "prompt": prompt}
        for task in tasks
        for role, prompt in task.prompts().items()
    ]


def read_frozen(path: Path) -> dict[str, Task]:
    """Read `tasks.jsonl` by task id. Raises GoodhartError when a line was edited by hand."""
    tasks = {}
    for row in read_jsonl(path):
        stated = row.pop("sha256")
        task = Task.model_validate(row)
        if task.sha256() != stated:
            raise GoodhartError(
                f"{path}: task '{task.id}' differs from its sha256 {stated[:12]}; delete the file "
                "and rerun, and edit tasks in config/tasks instead."
            )
        tasks[task.id] = task
    return tasks
