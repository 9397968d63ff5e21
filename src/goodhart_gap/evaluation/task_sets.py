"""Reading a task set: tasks written out, generated from templates, or imported from JSON lines.

tasks: [...]                                   written out, see `goodhart_gap.evaluation.tasks`
generate: {templates: all, variants: 5}        drawn from `goodhart_gap.evaluation.templates`
import: {file: problems.jsonl, category: gsm}  rows of another file, run as they are
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.tasks import CLOCK_TIME, Task
from goodhart_gap.evaluation.templates.all import TEMPLATES
from goodhart_gap.evaluation.templates.base import generate
from goodhart_gap.files import read_jsonl
from goodhart_gap.settings import Settings

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Generation(Settings):
    """Tasks drawn from templates."""

    templates: Literal["all"] | tuple[str, ...] = "all"
    """Names of templates, or `all`."""

    categories: tuple[str, ...] = ()
    """Only templates of these categories; empty for every category."""

    variants: int = Field(default=1, gt=0)
    """Instances of each template; raising it keeps the instances there were."""

    seed: int = 0
    """Seed of the instances."""


class Import(Settings):
    """Tasks read from a JSON lines file, with their prompts as they are."""

    file: str
    """Path of the file, relative to the task set."""

    category: str = Field(default="imported", pattern=r"^[a-z0-9_]+$")
    """Category of rows that have no `category`."""

    execution: str = "question"
    """Key of the execution prompt."""

    explanation: str | None = None
    """Key of the explanation prompt; leave out to ask for the procedure of the same question."""

    answer: str = "answer"
    """Key of the answer: a number, a time such as `4:15 PM`, or a text that ends in `#### 42`."""


class TaskSet(Settings):
    """The content of a file of `config/tasks/`."""

    description: str
    """What the set is, in a sentence."""

    tasks: tuple[Task, ...] = ()
    """Tasks written out, in the order tables show them."""

    generate: Generation | None = None
    """Tasks drawn from templates, after those written out."""

    imported: Import | None = Field(default=None, alias="import")
    """Tasks read from another file, after the others."""

    @model_validator(mode="after")
    def _has_tasks(self) -> "TaskSet":
        if not (self.tasks or self.generate or self.imported):
            raise ValueError("the set has no tasks; add tasks, generate or import")
        return self


def read_task_set(path: Path) -> tuple[Task, ...]:
    """Read the tasks of a YAML file. Raises GoodhartError naming the task and key that is wrong."""
    content = None
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
        chosen = TaskSet.model_validate(content)
    except yaml.YAMLError as error:
        raise GoodhartError(f"{path}: not valid YAML ({error}); correct it.") from error
    except ValidationError as error:
        raise GoodhartError(_sentence(path, content, error)) from error
    tasks = list(chosen.tasks)
    if chosen.generate is not None:
        tasks += generated(chosen.generate, path)
    if chosen.imported is not None:
        tasks += imported(chosen.imported, path)
    counts = Counter(task.id for task in tasks)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise GoodhartError(
            f"{path}: more than one task has the id {', '.join(twice)}; rename one of them."
        )
    return tuple(tasks)


def generated(wanted: Generation, path: Path) -> list[Task]:
    """Draw the tasks of a `generate` section. Raises GoodhartError for an unknown template."""
    names = list(TEMPLATES) if wanted.templates == "all" else list(wanted.templates)
    known = {template.category for template in TEMPLATES.values()}
    for name in names:
        if name not in TEMPLATES:
            raise GoodhartError(
                f"{path}: generate.templates = '{name}': there is no such template."
            )
    for category in wanted.categories:
        if category not in known:
            raise GoodhartError(
                f"{path}: generate.categories = '{category}': use one of "
                f"{', '.join(sorted(known))}."
            )
    return [
        task
        for name in names
        if not wanted.categories or TEMPLATES[name].category in wanted.categories
        for task in generate(TEMPLATES[name], wanted.seed, wanted.variants)
    ]


def imported(wanted: Import, path: Path) -> list[Task]:
    """Read the rows of an `import` section.

    Such tasks have no rubric: their explanations are sampled, but count as not understood unless
    rows bring a `rubric` of their own. Raises GoodhartError naming the line that is wrong.
    """
    file = path.parent / wanted.file
    if not file.is_file():
        raise GoodhartError(f"{path}: import.file: there is no file {file}; name an existing one.")
    tasks = []
    for line, row in enumerate(read_jsonl(file), start=1):
        try:
            execution = row[wanted.execution]
            explanation = (
                f"{execution} Do not compute the result. Explain step by step how to get it."
                if wanted.explanation is None
                else row[wanted.explanation]
            )
            tasks.append(
                Task(
                    id=str(row.get("id", f"{file.stem}-{line}")),
                    category=row.get("category", wanted.category),
                    difficulty=row.get("difficulty", "medium"),
                    steps=row.get("steps", 1),
                    execution_prompt=execution,
                    explanation_prompt=explanation,
                    answer=typed_answer(row[wanted.answer]),
                    rubric=row.get("rubric"),
                )
            )
        except KeyError as error:
            raise GoodhartError(
                f"{file}: line {line} has no key {error}; set import's keys."
            ) from None
        except (ValidationError, ValueError) as error:
            raise GoodhartError(f"{file}: line {line}: {_first(error)}; correct it.") from error
    return tasks


def typed_answer(value: Any) -> Any:
    """Return the typed answer that `value` stands for. Raises ValueError when that is unclear."""
    if isinstance(value, dict):
        return value
    text = str(value).split("####")[-1].strip()
    if re.fullmatch(CLOCK_TIME, text):
        return {"kind": "time", "value": text}
    bare = text.replace(",", "").lstrip("$").rstrip("%")
    if re.fullmatch(r"-?\d+(\.\d+)?", bare):
        return {"kind": "number", "value": float(bare)}
    raise ValueError(f"answer '{text}' is neither a number nor a time; give it as a typed answer")


def _first(error: Exception) -> str:
    return error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)


def _sentence(path: Path, content: Any, error: ValidationError) -> str:
    """Name the file, the task (by id where it has one), the key, and what is wrong with it."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if len(where) > 1 and where[0] == "tasks":
        task = content["tasks"][int(where[1])]
        name = task.get("id", where[1]) if isinstance(task, dict) else where[1]
        where = [f"task '{name}'", *where[2:]]
    location = f"{path}: {'.'.join(where)}" if where else str(path)
    return f"{location}: {first['msg']}; correct the task file."
