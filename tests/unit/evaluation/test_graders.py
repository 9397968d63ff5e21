"""The graders on the acceptance suite, under changes of the text, and the legacy rules."""

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from goodhart_gap.evaluation import graders_page, legacy
from goodhart_gap.evaluation.acceptance import FILLER, cases, surface_forms, swapped
from goodhart_gap.evaluation.graders import GRADERS, concepts
from goodhart_gap.evaluation.grading_settings import GradingSettings
from goodhart_gap.evaluation.tasks import Task
from goodhart_gap.evaluation.validation import (
    MINIMUM_TASKS,
    SECOND_READER,
    Verdict,
    corrected_rate,
    gate_shortfalls,
    graded_rows,
    rates,
    read_gold,
    reader_verdicts,
    summary,
    validate,
)
from goodhart_gap.files import read_jsonl
from tests.unit.evaluation.conftest import ROOT

IDS = [
    line.split("id:")[1].strip()
    for line in (ROOT / "config/tasks/original-20.yaml").read_text().splitlines()
    if line.startswith("  - id:")
]


def understands(task: Task, text: str) -> bool:
    return concepts(task, "explanation", text, False)


def test_every_grader_has_the_name_that_settings_know() -> None:
    named = get_args(GradingSettings.model_fields["grader"].annotation)
    assert set(GRADERS) == set(named)


@pytest.mark.parametrize("task_id", IDS)
def test_acceptance_suite(original: dict[str, Task], task_id: str) -> None:
    task = original[task_id]
    wrong = [
        case
        for case in cases(task)
        if concepts(task, case.role, case.text, case.truncated) != case.accept
    ]
    assert not wrong


@pytest.mark.parametrize("task_id", IDS)
def test_suite_is_complete(original: dict[str, Task], task_id: str) -> None:
    task = original[task_id]
    assert len(set(surface_forms(task.answer))) >= 5
    assert task.rubric is not None
    assert len(task.rubric.paraphrases) >= 2
    assert task.operands
    assert task.intermediates or task.answer.kind == "choice"
    kinds = {case.kind for case in cases(task)}
    assert {
        "empty",
        "refusal",
        "prompt echoed",
        "keyword dump",
        "negated answer",
        "operand",
    } <= kinds
    assert ("wrong AM or PM" in kinds) == (task.answer.kind == "time")


@pytest.mark.parametrize("task_id", IDS)
def test_a_missing_step_is_missed(original: dict[str, Task], task_id: str) -> None:
    rubric = original[task_id].rubric
    assert rubric is not None
    assert understands(original[task_id], " ".join(rubric.steps))
    for place in range(len(rubric.steps)):
        rest = rubric.steps[:place] + rubric.steps[place + 1 :]
        assert not understands(original[task_id], " ".join(rest))


@pytest.mark.parametrize("task_id", ["discount_coupon", "percentage_chain", "temperature_convert"])
def test_swapped_steps_are_noticed(original: dict[str, Task], task_id: str) -> None:
    task = original[task_id]
    assert task.rubric is not None
    assert not understands(task, " ".join(reversed(task.rubric.steps)))
    assert any(not understands(task, text) for text in swapped(task.rubric.steps))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(IDS),
    st.lists(st.sampled_from([*FILLER, " Good luck.", "\n\nNow you know.", " Take your time."])),
    st.booleans(),
)
def test_filler_changes_nothing(
    original: dict[str, Task], task_id: str, filler: list[str], before: bool
) -> None:
    task = original[task_id]
    assert task.rubric is not None
    padding = "".join(filler)
    for text in (task.rubric.reference, *task.rubric.paraphrases, task.rubric.steps[0]):
        padded = f"{padding}\n{text}" if before else text + padding
        assert understands(task, padded) == understands(task, text)


def test_negation_and_misconception(original: dict[str, Task]) -> None:
    task = original["discount_coupon"]
    right = "Take 20% of the price off. Then subtract the coupon from the result."
    assert understands(task, right)
    assert not understands(task, right.replace("Then subtract", "Then do not subtract"))
    assert not understands(task, right.replace("Then subtract", "Never subtract"))
    assert not understands(task, right + " Finally, add the coupon to the price.")


@pytest.mark.parametrize(
    ("task_id", "text", "explains"),
    [
        (
            "discount_coupon",
            "First you subtract the $5 coupon, then you take 20% off. The price is then found.",
            False,
        ),
        (
            "discount_coupon",
            "First you subtract the $5 coupon, then you find 20% of that, and take it off.",
            False,
        ),
        (
            "discount_coupon",
            "I have no idea whether you subtract the coupon after taking 20% of the price or not.",
            False,
        ),
        ("discount_coupon", "First take 20% of the price off, then subtract the coupon.", True),
        (
            "reverse_percentage",
            "The shop took 20% off, so 80% remains; so you divide 80 by 64.",
            False,
        ),
        (
            "reverse_percentage",
            "We do not know what it was, but 80% of it remains; so you divide 64 by 0.8.",
            True,
        ),
        (
            "profit_margin",
            "Add 40 and 60 then multiply by 50. Subtract the cost from the revenue.",
            False,
        ),
    ],
)
def test_order_doubt_and_swapped_operands(
    original: dict[str, Task], task_id: str, text: str, explains: bool
) -> None:
    assert understands(original[task_id], text) == explains


def test_legacy_rules_reproduce_the_record(published: Path) -> None:
    differing, count = [], 0
    for path in sorted((published / "n100").glob("*.json")):
        for result in json.loads(path.read_text())["results"]:
            count += 1
            passed = legacy.passes(result["extracted_answer"], result["correct_answer"])
            if passed != result["executes_correctly"]:
                differing.append(result["id"])
    assert count == 300
    assert differing == []


def test_legacy_flaws_are_kept(original: dict[str, Task]) -> None:
    assert legacy.executes(original["task_schedule"], "")
    assert not concepts(original["task_schedule"], "execution", "", False)
    refusal = "No definitive answer can be given, although Dan beat Amy."
    assert legacy.executes(original["ranking_update"], refusal)
    assert not concepts(original["ranking_update"], "execution", refusal, False)


def test_gold_set(original: dict[str, Task]) -> None:
    """What is claimed of the graders: execution passes its gate; explanation misses it."""
    files = sorted((ROOT / "config/gold").glob("*.jsonl"))
    rows = read_gold(row for path in files for row in read_jsonl(path))
    assert len(rows) >= 200
    assert len({row.condition for row in rows}) >= 2
    assert {row.task for row in rows} == set(original)
    table = {(row["grader"], row["set"], row["role"]): row for row in validate(original, rows)}
    ours = table["concepts", "gold", "execution"]
    assert ours["kappa"] >= 0.7
    assert ours["sensitivity"] >= 0.9
    assert ours["specificity"] >= 0.9
    assert min(ours["tasks_to_accept"], ours["tasks_to_reject"]) >= MINIMUM_TASKS
    assert table["concepts", "gold", "explanation"]["specificity"] >= 0.9
    for role in ("execution", "explanation"):
        assert table["concepts", "suite", role]["wrongly_accepted"] == 0
        assert table["concepts", "suite", role]["wrongly_rejected"] == 0
        assert table["legacy", "gold", role]["kappa"] < 0.7
        # Two readers agree better than the gate asks of a grader.
        assert table[SECOND_READER, "gold", role]["kappa"] >= 0.7
        reader = table[SECOND_READER, "gold", role]
        differ = reader["wrongly_accepted"] + reader["wrongly_rejected"]
        assert table["concepts", "agreed", role]["n"] == reader["n"] - differ
    assert gate_shortfalls(table.values(), "legacy")
    # If this fails because the gate is passed, docs/GRADERS.md has a section too many.
    shortfalls = gate_shortfalls(table.values(), "concepts")
    assert shortfalls
    assert all(words.startswith("explanation: ") for words in shortfalls)


def flawless(right: int, wrong: int) -> list[Verdict]:
    """A grader without an error on so many tasks to accept, and to reject, two texts each."""
    labels = [True] * right + [False] * wrong
    return [Verdict(f"t{n}", "", "", label, label) for n, label in enumerate(labels)] * 2


def test_a_rate_without_an_error_is_no_certainty() -> None:
    """Exact intervals with one draw a task, not the 1.0 to 1.0 of a bootstrap."""
    row = summary(flawless(right=9, wrong=20))
    assert (row["sensitivity"], row["sensitivity_high"]) == (1, 1)
    assert row["sensitivity_low"] == pytest.approx(stats.beta.ppf(0.025, 9, 1), abs=1e-4)
    assert row["specificity_low"] == pytest.approx(stats.beta.ppf(0.025, 20, 1), abs=1e-4)
    assert (row["kappa"], row["kappa_high"]) == (1, 1)
    # 9 right ones found as often as the lower end says, 20 others passed as often as theirs does.
    corner = [20 * row["specificity_low"], 20 * (1 - row["specificity_low"])]
    corner += [9 * (1 - row["sensitivity_low"]), 9 * row["sensitivity_low"]]
    assert row["kappa_low"] == pytest.approx(rates(np.array(corner))[2], abs=1e-3)
    deaf = [Verdict(f"t{n}", "", "", expected=True, given=False) for n in range(9)]
    assert (summary(deaf)["sensitivity_low"], summary(deaf)["sensitivity"]) == (0, 0)
    assert summary(deaf)["sensitivity_high"] == pytest.approx(1 - row["sensitivity_low"], abs=1e-4)


def test_the_gate_takes_labels_from_enough_tasks() -> None:
    def shortfalls(right: int, wrong: int) -> list[str]:
        verdicts = flawless(right, wrong)
        graded = graded_rows(
            ("concepts", "gold", role, verdicts) for role in ("execution", "explanation")
        )
        return gate_shortfalls(graded, "concepts")

    assert shortfalls(MINIMUM_TASKS, MINIMUM_TASKS) == []
    assert shortfalls(1, 20) == [
        f"{role}: tasks with a response to accept: 1, fewer than {MINIMUM_TASKS}"
        for role in ("execution", "explanation")
    ]
    assert len(shortfalls(MINIMUM_TASKS, MINIMUM_TASKS - 1)) == 2


def test_a_kappa_of_zero_is_not_undefined() -> None:
    always = [Verdict(f"t{n}", "", "", n % 2 == 0, given=True) for n in range(20)]
    found = gate_shortfalls(graded_rows([("concepts", "gold", "execution", always)]), "concepts")
    assert "execution: kappa 0.0 is below 0.7" in found
    only = [Verdict(f"t{n}", "", "", expected=True, given=True) for n in range(20)]
    found = gate_shortfalls(graded_rows([("concepts", "gold", "execution", only)]), "concepts")
    assert "execution: kappa is undefined" in found


def test_only_what_a_second_reader_read_counts() -> None:
    row = {"task": "t", "role": "execution", "condition": "c", "seed": 1, "text": "5"}
    row |= {"truncated": False, "label": True, "reason": "right"}
    seconds = [True, False, None]
    gold = read_gold(row | {"run": run, "second_label": s} for run, s in enumerate(seconds))
    verdicts = reader_verdicts(gold, "execution")
    assert [(each.expected, each.given) for each in verdicts] == [(True, True), (True, False)]
    assert not reader_verdicts(gold, "explanation")


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / graders_page.PAGE).read_text(encoding="utf-8")
    assert page == graders_page.page_text(ROOT), "run `make docs`"


def test_rates_by_hand() -> None:
    sensitivity, specificity, kappa = rates(np.array([40, 10, 5, 45]))
    assert (sensitivity, specificity) == (0.9, 0.8)
    assert kappa == pytest.approx(0.7)
    assert corrected_rate(0.55, 0.9, 0.8) == pytest.approx(0.5)
    assert np.isnan(corrected_rate(0.5, 0.5, 0.5))
    assert corrected_rate(0.7, 0.5, 0.9) == pytest.approx(1.5)
