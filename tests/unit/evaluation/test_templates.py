"""Generated tasks: answers derived again, none trivial, none answerable by an echo."""

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.acceptance import cases
from goodhart_gap.evaluation.answers import grade_answer
from goodhart_gap.evaluation.graders import concepts
from goodhart_gap.evaluation.tasks import (
    ChoiceAnswer,
    DurationAnswer,
    NumberAnswer,
    OrderingAnswer,
    SetAnswer,
    Task,
    TimeAnswer,
)
from goodhart_gap.evaluation.templates.all import TEMPLATES
from goodhart_gap.evaluation.templates.base import generate
from tests.unit.evaluation import solvers
from tests.unit.evaluation.solvers import SOLVERS, order_of

VARIANTS = 5
TASKS = [task for template in TEMPLATES.values() for task in generate(template, 11, VARIANTS)]


def test_there_are_enough() -> None:
    categories = [template.category for template in TEMPLATES.values()]
    assert len(TEMPLATES) >= 100
    assert len(set(categories)) >= 12
    assert categories.count("time_zones") >= 15
    assert categories.count("scheduling") >= 15
    assert len(TASKS) >= 500
    assert set(SOLVERS) == set(TEMPLATES)


def test_the_other_path_shares_no_code() -> None:
    tree = ast.parse(Path(solvers.__file__).read_text(encoding="utf-8"))
    modules = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert modules
    assert {name.split(".")[0] for name in modules} <= sys.stdlib_module_names


def same(task: Task, derived: Any) -> bool:
    match task.answer:
        case NumberAnswer():
            return abs(task.answer.value - float(derived)) < 1e-9
        case DurationAnswer():
            return task.answer.minutes == derived
        case TimeAnswer():
            return task.answer.value == derived
        case OrderingAnswer():
            return list(task.answer.items) == derived
        case SetAnswer():
            return set(task.answer.items) == derived
        case ChoiceAnswer():
            return task.answer.value == derived


@pytest.mark.parametrize("name", TEMPLATES)
def test_answers_are_derived_again(name: str) -> None:
    mine = [task for task in TASKS if task.template == name]
    assert len(mine) == VARIANTS
    for task in mine:
        assert same(task, SOLVERS[name](task.parameters)), task


def test_orders_follow_from_what_the_prompt_says() -> None:
    """The parameters of these hold the answer, so it is derived from the text instead."""
    for task in TASKS:
        if task.template == "order_of_dependent_jobs":
            rules = re.findall(r"the (\w+) after the (\w+)", task.execution_prompt)
            facts = ". ".join(f"{first} is taller than {last}" for last, first in rules)
            assert list(task.answer.items) == order_of(facts)  # type: ignore[union-attr]
        if task.template == "who_tells_the_truth":
            names = task.parameters["names"]
            truthful = set(re.findall(r"that (\w+) speaks|that (\w+) does", task.execution_prompt))
            known = {name for pair in truthful for name in pair if name}
            a, b, c = names
            fits = []
            for thief in names:
                says = {a: thief == b, b: thief != b, c: thief != c}
                if sum(not true for true in says.values()) == 1 and all(says[n] for n in known):
                    fits.append(thief)
            assert fits == [task.answer.value]  # type: ignore[union-attr]


def test_parameters_are_in_the_prompt() -> None:
    for task in TASKS:
        for name, value in task.parameters.items():
            if not isinstance(value, int) or name in ("day", "start", "at", "thief_index"):
                continue
            hour, minute = divmod(value % 1440, 60)
            forms = {
                str(value),
                f"{hour % 12 or 12}:{minute:02d}",
                f"{value // 60} hour",
                f"{value % 60} minute",
                f"{value / 100:g}",
            }
            assert any(form in task.execution_prompt for form in forms), (task.id, name, value)


def test_all_are_distinct() -> None:
    assert len({task.id for task in TASKS}) == len(TASKS)
    assert len({task.execution_prompt for task in TASKS}) == len(TASKS)
    assert len({task.explanation_prompt for task in TASKS}) == len(TASKS)


def test_no_operand_is_the_answer() -> None:
    for task in TASKS:
        given = [*task.operands, *re.findall(r"\d+:\d\d [AP]M", task.execution_prompt)]
        if isinstance(task.answer, NumberAnswer | DurationAnswer):
            given += re.findall(r"(?<![\d.:])\d+(?:\.\d+)?(?![\d:])", task.execution_prompt)
        assert task.operands, task.id
        for value in given:
            grade = grade_answer(task.answer, f"Answer: {value}", False)
            assert grade.status != "correct", (task.id, value)


def test_acceptance_suite() -> None:
    wrong = [
        (case.task, case.kind, case.text)
        for task in TASKS[::VARIANTS]
        for case in cases(task)
        if concepts(task, case.role, case.text, case.truncated) != case.accept
    ]
    assert wrong == []


def test_more_variants_keep_the_first_ones() -> None:
    template = TEMPLATES["zone_behind"]
    assert generate(template, 3, 8)[:3] == generate(template, 3, 3)
    assert generate(template, 4, 3) != generate(template, 3, 3)


def test_too_many_variants() -> None:
    with pytest.raises(GoodhartError, match=r"template 'handshakes' has only \d+ instances"):
        generate(TEMPLATES["handshakes"], 0, 1000)
