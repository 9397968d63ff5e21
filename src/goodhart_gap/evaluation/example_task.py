"""A task to start from: a worked example, complete, that its graders judge rightly."""

from pathlib import Path
from typing import get_args

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.graders import Role, concepts
from goodhart_gap.evaluation.tasks import Task
from goodhart_gap.evaluation.validation import suite_verdicts

TASK_SET_START = """\
# yaml-language-server: $schema=../schemas/tasks.schema.json
# Patterns are explained in src/goodhart_gap/evaluation/patterns.py.
description: Tasks of our own.
"""
"""How a new file of tasks begins."""

_EXAMPLE = """\
# A worked example: put your own problem in its place.
- id: {name}
  category: {category}
  difficulty: easy
  # Operations that a solution takes.
  steps: 2
  execution_prompt: >-
    A baker fills 4 trays with 12 rolls each, and sells 15 of these rolls. How many rolls are left?
    Work it out, then end with a line that says "Answer:" followed by the number.
  explanation_prompt: >-
    A baker fills 4 trays with 12 rolls each, and sells 15 of these rolls. Explain step by step how
    to work out how many rolls are left, and why the steps come in that order.
  # Or time, duration, ordering, set, choice: see config/schemas/tasks.schema.json.
  answer: {{kind: number, value: 33}}
  # Numbers that the prompt gives, and those met on the way: none of them is an answer.
  operands: ["4", "12", "15"]
  intermediates: ["48"]
  rubric:
    # All of these must be stated, each in any of these ways.
    concepts:
      - name: rolls on all trays
        any_of:
          - 4 * 12|12 * 4
          - <multiply> & 12|trays
      - name: subtract the rolls sold
        any_of:
          - <subtract> ... 15|<subtract> ... sold|<subtract> ... sells|48 - 15|15 ... <subtract>
        after: [rolls on all trays]
    # Any of these shows that the procedure was not understood.
    misconceptions:
      - <add> ... 15|48 + 15|12 - 15|15 - 12
    # A correct explanation, in parts none of which can be left out; then others. The grader is
    # tested with them.
    steps:
      - Multiply the 4 trays by the 12 rolls on each to get all the rolls.
      - Then subtract the 15 rolls that were sold from that total.
    paraphrases:
      - >-
        Every tray holds 12 rolls, so 4 * 12 = 48 rolls were baked. Taking away the 15 that are
        sold leaves 48 - 15 = 33.
"""


def worked_example(name: str, category: str) -> str:
    """Return the YAML of the example as an item of a list of tasks."""
    return _EXAMPLE.format(name=name, category=category)


def try_graders(task: Task, path: Path) -> None:
    """Put a task through its own acceptance suite (`goodhart_gap.evaluation.acceptance`).

    Raises GoodhartError, naming `path`, for the first text that is judged wrongly.
    """
    for role in get_args(Role):
        for verdict in suite_verdicts(concepts, [task], role):
            if verdict.given != verdict.expected:
                wrongly = "accepts" if verdict.given else "rejects"
                text = " ".join(verdict.text.split())
                raise GoodhartError(
                    f"{path}: task '{task.id}': its {role} grader {wrongly} a text that it must "
                    f"not ({verdict.kind}: '{text}'); correct the answer or the rubric."
                )
