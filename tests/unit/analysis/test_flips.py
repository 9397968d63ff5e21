"""Flips are counted by quadrant; here every pair of runs is looked at."""

from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.analysis.flips import Runs, _different, _same, _within
from goodhart_gap.analysis.quadrants import QUADRANTS

RUNS = st.dictionaries(
    st.tuples(st.integers(1, 2), st.integers(0, 4)), st.sampled_from(QUADRANTS), max_size=8
)


@given(RUNS, RUNS)
def test_counts_are_those_of_all_pairs(left: Runs, right: Runs) -> None:
    among = [one != two for one, two in combinations(left.values(), 2)]
    assert _within(left, left) == (sum(among), len(among))
    pairs = list(product(left.items(), right.items()))
    same = [before != after for (one, before), (two, after) in pairs if one == two]
    assert _same(left, right) == (sum(same), len(same))
    other = [before != after for (one, before), (two, after) in pairs if one != two]
    assert _different(left, right) == (sum(other), len(other))


def test_a_run_is_no_pair() -> None:
    one: Runs = {(42, 0): "KD"}
    assert _within(one, one) == (0, 0)
    assert _different(one, one) == (0, 0)
    assert _different(one, {(42, 1): "DK"}) == (1, 1)
