"""Bisection finds what asking every entry would, and asks few."""

from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.analysis.searches import SearchFacts, entries_of, walk
from tests.unit.analysis.workshop import evaluation, table_of

TASKS = 40


def outcomes(condition: str, solved: int) -> pd.DataFrame:
    return table_of(
        evaluation(f"t{task}", condition, understands=True, executes=task < solved)
        for task in range(TASKS)
    )


def facts(counts: list[int], margin: float = 0.3) -> SearchFacts:
    return SearchFacts(
        experiment="e",
        family="last",
        baseline="baseline",
        entries=entries_of([(f"last-{count}", count) for count in counts]),
        margin=margin,
        confidence=0.95,
    )


def search(asked: SearchFacts, solved: Callable[[int], int]) -> tuple[pd.DataFrame, list[str]]:
    known: dict[str, pd.DataFrame] = {"baseline": outcomes("baseline", 20)}
    order = []
    steps, wanted = walk(asked, known)
    while wanted:
        order.append(wanted)
        known[wanted] = outcomes(wanted, solved(int(wanted.removeprefix("last-"))))
        steps, wanted = walk(asked, known)
    return steps, order


def test_the_first_question_is_the_baseline_and_the_largest_set() -> None:
    steps, wanted = walk(facts([1, 2, 4]), {})
    assert steps.empty
    assert wanted == "last-4"


@given(
    counts=st.lists(st.integers(1, 80), min_size=1, max_size=12, unique=True),
    enough=st.integers(1, 90),
)
def test_it_finds_what_asking_all_would(counts: list[int], enough: int) -> None:
    steps, order = search(facts(counts), lambda k: 20 if k >= enough else 0)
    last = steps.iloc[-1]
    fitting = [count for count in counts if count >= enough]
    if fitting:
        assert last["smallest_enough"] == min(fitting)
        below = [count for count in counts if count < enough]
        assert last["largest_not_enough"] == max(below, default=0)
    else:
        assert pd.isna(last["smallest_enough"])
        assert order == [f"last-{max(counts)}"]
    assert len(order) == len(set(order)) <= 2 + len(counts).bit_length()
    assert list(steps["condition"]) == order


def test_an_interval_that_crosses_the_margin_is_not_enough() -> None:
    # 2 of 40 tasks lost: 5 points, with an interval of about 7 points either way.
    steps, _ = search(facts([3], margin=0.1), lambda k: 18)
    assert steps.iloc[0]["difference"] == pytest.approx(-0.05)
    assert steps.iloc[0]["low"] < -0.1
    assert not steps.iloc[0]["enough"]
    steps, _ = search(facts([3], margin=0.2), lambda k: 18)
    assert steps.iloc[0]["enough"]


def test_a_single_lucky_task_is_not_enough() -> None:
    steps, _ = search(facts([3], margin=0.05), lambda k: 21)
    assert steps.iloc[0]["difference"] == pytest.approx(1 / TASKS)
    assert not steps.iloc[0]["enough"]


def test_without_a_change_the_number_of_tasks_decides() -> None:
    steps, _ = search(facts([3], margin=0.05), lambda k: 20)
    assert steps.iloc[0]["difference"] == 0
    assert steps.iloc[0]["method"] == "exact, no task changed"
    assert not steps.iloc[0]["enough"]
    assert search(facts([3], margin=0.1), lambda k: 20)[0].iloc[0]["enough"]
