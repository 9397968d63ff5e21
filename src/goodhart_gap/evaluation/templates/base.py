"""What a template is, and how tasks are drawn from it.

    @template("financial", "easy")
    def tickets(draw: Draw) -> Problem | None:
        price, count = draw.integer(4, 15), draw.integer(3, 9)
        ...

A template returns None for a draw that would be trivial or ambiguous, and is drawn again. What is
common to all templates is refused here: an answer that equals something the prompt says, or a value
met on the way, and a problem that was drawn before.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.answers import grade_answer
from goodhart_gap.evaluation.patterns import compile_pattern
from goodhart_gap.evaluation.tasks import (
    Answer,
    Concept,
    DurationAnswer,
    NumberAnswer,
    Rubric,
    Task,
    TimeAnswer,
)
from goodhart_gap.evaluation.templates.operations import Number, Step, clock
from goodhart_gap.evaluation.text import tokens

Difficulty = Literal["easy", "medium", "hard"]
T = TypeVar("T")

_TRIES = 2000


@dataclass(frozen=True)
class Problem:
    """One instance of a template."""

    situation: str
    """The facts, shared by both prompts."""

    question: str
    """What the execution prompt asks."""

    form: str
    """How the answer is to be written (`the number of dollars`)."""

    explain: str
    """What the explanation prompt asks to explain (`what you pay`)."""

    answer: Answer
    steps: tuple[Step, ...]
    parameters: dict[str, Any]
    operands: tuple[str, ...] = ()
    """Values of the prompt beside those the parameters hold."""

    misconceptions: tuple[str, ...] = ()
    ordered: bool = False
    """Whether each step must be stated after the one before it."""


class Draw:
    """Random choices of one instance, keyed by template, seed and attempt."""

    def __init__(self, key: str) -> None:
        self._random = random.Random(hashlib.sha256(key.encode()).digest())

    def integer(self, low: int, high: int, step: int = 1) -> int:
        """Return an integer of [low, high], in steps of `step`."""
        return self._random.randrange(low, high + 1, step)

    def choice(self, options: Sequence[T]) -> T:
        """Return one of `options`."""
        return self._random.choice(options)

    def several(self, options: Sequence[T], count: int) -> list[T]:
        """Return `count` different ones of `options`, in random order."""
        return self._random.sample(options, count)

    def clock(self, first_hour: int, last_hour: int, step: int = 5) -> int:
        """Return a time of day in minutes, from `first_hour` to the end of `last_hour`."""
        return self.integer(first_hour * 60, last_hour * 60 + 59, step)


@dataclass(frozen=True)
class Template:
    """A kind of problem."""

    name: str
    category: str
    difficulty: Difficulty
    make: Callable[[Draw], Problem | None] = field(repr=False)


REGISTERED: dict[str, Template] = {}
"""Templates by name, in the order their modules were imported; see `templates.all`."""


def template(
    category: str, difficulty: Difficulty
) -> Callable[[Callable[[Draw], Problem | None]], Callable[[Draw], Problem | None]]:
    """Register a function as a template under its own name."""

    def register(make: Callable[[Draw], Problem | None]) -> Callable[[Draw], Problem | None]:
        name = make.__name__
        if name in REGISTERED:
            raise ValueError(f"two templates have the name {name}")
        REGISTERED[name] = Template(name, category, difficulty, make)
        return make

    return register


def generate(chosen: Template, seed: int, variants: int) -> list[Task]:
    """Return `variants` different tasks of a template; the first n do not depend on `variants`.

    Raises GoodhartError when the template has fewer instances than that.
    """
    tasks: list[Task] = []
    prompts: set[str] = set()
    for attempt in range(_TRIES):
        if len(tasks) == variants:
            break
        problem = chosen.make(Draw(f"{chosen.name} {seed} {attempt}"))
        if problem is None or not _is_fit(problem) or problem.situation in prompts:
            continue
        prompts.add(problem.situation)
        tasks.append(_task(chosen, problem, len(tasks)))
    if len(tasks) < variants:
        raise GoodhartError(
            f"template '{chosen.name}' has only {len(tasks)} instances, fewer than variants = "
            f"{variants}; lower variants."
        )
    return tasks


def _is_fit(problem: Problem) -> bool:
    """Whether the answer is nowhere in the prompt and no value on the way."""
    said = set(tokens(problem.situation)) | {step.value for step in problem.steps[:-1]}
    match problem.answer:
        case NumberAnswer():
            return f"{problem.answer.value:.10g}" not in said
        case DurationAnswer():
            minutes = problem.answer.minutes
            return not {f"{minutes:.10g}", f"{minutes / 60:.10g}"} & said
        case _:
            return True


def _task(chosen: Template, problem: Problem, variant: int) -> Task:
    names = [step.goal for step in problem.steps]
    concepts = tuple(
        Concept(
            name=step.goal,
            any_of=_telling(step, problem),
            after=(names[place - 1],) if problem.ordered and place else (),
        )
        for place, step in enumerate(problem.steps)
    )
    return Task(
        id=f"{chosen.name}-{variant}",
        category=chosen.category,
        difficulty=chosen.difficulty,
        steps=len(problem.steps),
        execution_prompt=f"{problem.situation} {problem.question} Work it out, then end with a line"
        f' that says "Answer:" followed by {problem.form}.',
        explanation_prompt=f"{problem.situation} Explain step by step how to work out"
        f" {problem.explain}.",
        answer=problem.answer,
        operands=problem.operands or _numbers(problem.parameters),
        intermediates=tuple(
            dict.fromkeys(
                step.value
                for step in problem.steps[:-1]
                if step.value is not None and _is_other(problem, step.value)
            )
        ),
        rubric=Rubric(
            concepts=concepts,
            misconceptions=problem.misconceptions,
            steps=tuple(step.text for step in problem.steps),
            paraphrases=(
                " ".join(step.other for step in problem.steps),
                "\n".join(f"{n}. {step.sums}" for n, step in enumerate(problem.steps, start=1)),
            ),
        ),
        template=chosen.name,
        parameters=problem.parameters,
    )


def _is_other(problem: Problem, value: str) -> bool:
    """Whether a value on the way is not the answer in another unit."""
    return grade_answer(problem.answer, f"Answer: {value}", False).status != "correct"


def _telling(step: Step, problem: Problem) -> tuple[str, ...]:
    """Return the patterns of a step that no other step of the problem satisfies.

    Where its own wording is no longer recognised then, the wording itself is added.
    """
    forms = [" ".join(tokens(form)) for form in (step.text, step.other, step.sums)]
    others = [
        " ".join(tokens(form))
        for other in problem.steps
        if other is not step
        for form in (other.text, other.other, other.sums)
    ]
    found = [
        pattern
        for pattern in step.patterns
        if not any(compile_pattern(pattern).search(other) for other in others)
    ]
    for form in forms:
        if not any(compile_pattern(pattern).search(form) for pattern in found):
            words = [word for word in form.split() if word[0].isalnum()]
            found.append(" ... ".join(words[:6]))
    return tuple(found)


def _numbers(parameters: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(v) for v in parameters.values() if isinstance(v, int)))


def number(value: Number, unit: str | None = None, tolerance: float = 0.005) -> NumberAnswer:
    """Return a numeric answer."""
    return NumberAnswer(kind="number", value=float(value), unit=unit, tolerance=tolerance)


def time_of_day(minutes: int) -> TimeAnswer:
    """Return an answer that is a time of day, given in minutes after midnight."""
    return TimeAnswer(kind="time", value=clock(minutes))


def in_minutes(value: int) -> DurationAnswer:
    """Return an answer that is a number of minutes."""
    return DurationAnswer(kind="duration", minutes=value, unit="minute")


NAMES = ("Anna", "Ben", "Cleo", "Dirk", "Ella", "Finn", "Greta", "Hugo", "Ines", "Jan")
DOLLARS = "the number of dollars"
CLOCK = "the time with AM or PM"
MINUTES = "the number of minutes"
