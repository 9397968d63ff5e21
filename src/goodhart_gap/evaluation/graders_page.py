"""docs/GRADERS.md: how good the graders are, measured on the committed tasks and labels.

    python -m goodhart_gap.evaluation.graders_page

rewrites the page; a test fails when it differs from what this would write. Every figure comes from
the table that `make validate-graders` makes for an experiment on the same tasks.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from goodhart_gap.evaluation.graders import GRADERS, concepts
from goodhart_gap.evaluation.task_sets import read_task_set
from goodhart_gap.evaluation.tasks import Task
from goodhart_gap.evaluation.validation import (
    MINIMUM_KAPPA,
    MINIMUM_RATE,
    MINIMUM_TASKS,
    SECOND_READER,
    GoldResponse,
    gate_shortfalls,
    read_gold,
    validate,
)
from goodhart_gap.files import read_jsonl, write_text
from goodhart_gap.rendering import template_environment

PAGE = Path("docs/GRADERS.md")
TASKS = Path("config/tasks/original-20.yaml")
GOLD = Path("config/gold")
OURS_AGREED = ("concepts", "agreed")
DATA_FILES = ("templates/GRADERS.md.jinja",)


def page_text(root: Path = Path()) -> str:
    """Return the page, from the tasks and labels below `root`."""
    tasks = {task.id: task for task in read_task_set(root / TASKS)}
    gold = read_gold(
        row for path in sorted((root / GOLD).glob("*.jsonl")) for row in read_jsonl(path)
    )
    rows = validate(tasks, gold)
    environment = template_environment("goodhart_gap.evaluation")
    return environment.get_template("GRADERS.md.jinja").render(
        rows=rows,
        sources=_by_source(tasks, gold),
        readers={row["role"]: row for row in rows if row["grader"] == SECOND_READER},
        agreed={row["role"]: row for row in rows if (row["grader"], row["set"]) == OURS_AGREED},
        shortfalls={grader: gate_shortfalls(rows, grader) for grader in GRADERS},
        minimum_kappa=MINIMUM_KAPPA,
        minimum_rate=MINIMUM_RATE,
        minimum_tasks=MINIMUM_TASKS,
        tasks=len(tasks),
        labels=len(gold),
    )


def _by_source(tasks: Mapping[str, Task], gold: Sequence[GoldResponse]) -> list[dict[str, Any]]:
    """Return, for each condition and role of the gold set, labels and what our grader made of them.

    Counts of responses, not weighted.
    """
    counts: dict[tuple[str, str], Counter[str]] = {}
    for row in gold:
        given = concepts(tasks[row.task], row.role, row.text, row.truncated)
        found = counts.setdefault((row.condition, row.role), Counter())
        found["labels"] += 1
        found["true"] += row.label
        found["missed"] += row.label and not given
        found["wrongly_accepted"] += given and not row.label
    return [
        {"condition": condition, "role": role} | dict(found)
        for (condition, role), found in sorted(counts.items())
    ]


if __name__ == "__main__":
    write_text(PAGE, page_text())
