from itertools import product
from math import comb

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from goodhart_gap.analysis.clustered import Sums
from goodhart_gap.analysis.resampling import (
    bootstrap_interval,
    mcnemar_clustered,
    mcnemar_exact,
    permutation_test,
)


def sums(values, sizes):
    return Sums(np.array(values, dtype=float), np.array(sizes, dtype=float))


def enumerate_swaps(treated, control):
    """Two-sided p value over every swap of every cluster, by the definition."""
    observed = abs(treated.ratio - control.ratio)
    extreme = total = 0
    for swap in product((False, True), repeat=len(treated.x)):
        swapped = np.array(swap)
        one = Sums(np.where(swapped, control.y, treated.y), np.where(swapped, control.x, treated.x))
        two = Sums(np.where(swapped, treated.y, control.y), np.where(swapped, treated.x, control.x))
        difference = one.ratio - two.ratio
        if np.isfinite(difference):
            total += 1
            extreme += abs(difference) >= observed - 1e-12
    return extreme / total


@pytest.mark.parametrize("seed", range(8))
def test_permutation_equals_enumeration(seed):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 6, size=(2, 8))
    treated = sums(random.integers(0, sizes[0] + 1), sizes[0])
    control = sums(random.integers(0, sizes[1] + 1), sizes[1])
    result = permutation_test(treated, control, permutations=99, seed=1)
    assert result.exact
    assert result.p_value == pytest.approx(enumerate_swaps(treated, control))


def test_unchanged_clusters_leave_the_p_value_alone():
    treated, control = sums([3, 1, 2, 4], [4, 4, 4, 4]), sums([1, 0, 2, 4], [4, 4, 4, 4])
    result = permutation_test(treated, control, permutations=99, seed=1)
    assert result.swaps == 2**2
    assert result.p_value == pytest.approx(enumerate_swaps(treated, control))


def test_random_swaps_come_close_to_enumeration_and_repeat():
    random = np.random.default_rng(3)
    treated = sums(random.integers(0, 5, 18) + 0.5, np.full(18, 5))
    control = sums(random.integers(0, 5, 18), np.full(18, 5))
    sampled = permutation_test(treated, control, permutations=8000, seed=1)
    again = permutation_test(treated, control, permutations=8000, seed=1)
    moved = (control.y - treated.y) / 90
    swaps = np.array(list(product((-1, 1), repeat=18)), dtype=np.int8)
    statistic = np.abs(swaps @ moved)
    exact = (statistic >= abs(moved.sum()) - 1e-12).mean()
    assert not sampled.exact
    assert sampled == again
    assert sampled.p_value == pytest.approx(exact, abs=0.02)


def test_permutation_of_an_undefined_rate_is_undefined():
    result = permutation_test(sums([0], [0]), sums([0], [1]), permutations=9, seed=1)
    assert np.isnan(result.p_value)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (0, 5), (4, 7), (3, 2), (1, 9), (6, 6)])
def test_mcnemar_equals_enumeration_of_coin_flips(gained, lost):
    discordant = gained + lost
    chances = [comb(discordant, heads) / 2**discordant for heads in range(discordant + 1)]
    expected = sum(chance for chance in chances if chance <= chances[gained] * (1 + 1e-9))
    assert mcnemar_exact(gained, lost) == pytest.approx(expected)
    table = [[10, gained], [lost, 10]]
    assert mcnemar_exact(gained, lost) == pytest.approx(mcnemar(table, exact=True).pvalue)


def test_clustered_mcnemar_with_one_pair_a_cluster_is_mcnemar():
    gained = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0], dtype=float)
    lost = np.array([0, 0, 0, 1, 1, 1, 1, 0, 0], dtype=float)
    expected = mcnemar([[1, 3], [4, 1]], exact=False, correction=False).pvalue
    assert mcnemar_clustered(gained, lost, np.ones(9)) == pytest.approx(expected)


def test_clustered_mcnemar_does_not_count_repeats_as_new():
    gained, lost = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, 0.0])
    once = mcnemar_clustered(gained, lost, np.ones(4))
    assert mcnemar_clustered(9 * gained, 9 * lost, np.full(4, 9.0)) == pytest.approx(once)


def test_clustered_mcnemar_without_discordance_is_one():
    assert mcnemar_clustered(np.zeros(3), np.zeros(3), np.ones(3)) == 1.0


def test_bootstrap_of_means_is_near_the_t_interval_and_repeats():
    random = np.random.default_rng(5)
    treated = sums(random.binomial(5, 0.6, 60), np.full(60, 5))
    control = sums(random.binomial(5, 0.5, 60), np.full(60, 5))
    options = {"confidence": 0.95, "resamples": 4000, "seed": 2}
    low, high = bootstrap_interval(treated, control, **options)
    difference = (treated.y - control.y) / 5
    half = 1.96 * difference.std(ddof=1) / np.sqrt(60)
    assert low == pytest.approx(difference.mean() - half, abs=0.02)
    assert high == pytest.approx(difference.mean() + half, abs=0.02)
    assert bootstrap_interval(treated, control, **options) == (low, high)


def test_bootstrap_of_one_cluster_is_undefined():
    low, _ = bootstrap_interval(sums([2], [5]), None, confidence=0.95, resamples=10, seed=1)
    assert np.isnan(low)
