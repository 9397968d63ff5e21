"""The wall clock of a run is divided without anything lost or counted twice."""

import pytest
from benchmarks.default_run import START_UP, start_ups
from benchmarks.intervals import Interval, covered, cut, shares
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.floats(min_value=0, max_value=100, allow_nan=False)
INTERVALS = st.lists(
    st.builds(
        lambda label, start, length: Interval(label, start, start + length),
        st.sampled_from("abc"),
        NUMBERS,
        NUMBERS,
    ),
    max_size=8,
)


def test_overlaps_count_once_and_gaps_not_at_all() -> None:
    found = [Interval("a", 0, 4), Interval("b", 2, 6), Interval("a", 3, 3.5), Interval("c", 10, 11)]
    assert covered(found) == 7
    assert covered([]) == 0


def test_what_runs_side_by_side_shares_the_instant() -> None:
    found = shares([Interval("a", 0, 4), Interval("b", 2, 6), Interval("b", 2, 4)])
    assert found == pytest.approx({"a": 2 + 2 / 3, "b": 4 / 3 + 2})


@given(INTERVALS)
def test_shares_add_up_to_what_is_covered(intervals: list[Interval]) -> None:
    found = shares(intervals)
    assert sum(found.values()) == pytest.approx(covered(intervals))
    assert all(value >= 0 for value in found.values())


def test_what_a_process_does_beside_its_script_is_start_up() -> None:
    whole, inner = Interval("score", 10, 20), Interval("score", 13, 19)
    assert cut(whole, inner, "up") == [Interval("up", 10, 13), Interval("up", 19, 20)]


def test_jobs_of_a_rule_are_matched_in_the_order_they_ended() -> None:
    processes = [Interval("a", 0, 5), Interval("b", 0, 9), Interval("a", 4, 10)]
    scripts = [Interval("a", 1, 5), Interval("b", 3, 9), Interval("a", 6, 10)]
    found = start_ups(processes, scripts)
    assert [(each.start, each.end) for each in found] == [(0, 1), (0, 3), (4, 6)]
    assert {each.label for each in found} == {START_UP}
    assert start_ups([Interval("failed", 0, 5)], scripts) == []
