import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from goodhart_gap.analysis.clustered import Sums, estimate_difference, estimate_ratio
from goodhart_gap.analysis.equivalence import equivalence_p_value, unchanged_is_equivalent
from goodhart_gap.analysis.variance import (
    design_effect,
    intraclass_correlation,
    leave_one_out,
    minimum_detectable_effect,
)


def test_intraclass_correlation_agrees_with_the_analysis_of_variance():
    random = np.random.default_rng(1)
    values = random.normal(size=(10, 1)) + random.normal(size=(10, 4))
    f = stats.f_oneway(*values).statistic
    clusters = np.repeat(np.arange(10), 4)
    assert intraclass_correlation(values.ravel(), clusters) == pytest.approx((f - 1) / (f + 3))


def test_identical_runs_correlate_fully_and_make_the_design_effect_their_number():
    outcomes = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0, 0.0], 5)
    clusters = np.repeat(np.arange(6), 5)
    assert intraclass_correlation(outcomes, clusters) == pytest.approx(1.0)
    sums = Sums(np.bincount(clusters, weights=outcomes), np.full(6, 5.0))
    # G/(G-1) times the number of runs: the small-sample factor stays.
    assert design_effect(estimate_ratio(sums), sums) == pytest.approx(5 * 6 / 5)


def test_one_run_a_task_has_no_correlation():
    assert np.isnan(intraclass_correlation(np.array([1.0, 0.0]), np.array([0, 1])))


def test_equivalence_equals_statsmodels():
    random = np.random.default_rng(4)
    one, two = random.normal(size=40), random.normal(size=40)
    estimate = estimate_difference(Sums(one, np.ones(40)), Sums(two, np.ones(40)), "empty")
    expected = ttost_paired(one, two, -0.3, 0.3)[0]
    assert equivalence_p_value(estimate, 0.3) == pytest.approx(expected)


def test_no_change_is_equivalence_only_with_enough_tasks():
    assert not unchanged_is_equivalent(30, margin=0.05, alpha=0.05)
    assert unchanged_is_equivalent(60, margin=0.05, alpha=0.05)
    assert not unchanged_is_equivalent(60, margin=0.05, alpha=0.05, limit=2.0)
    assert unchanged_is_equivalent(120, margin=0.05, alpha=0.05, limit=2.0)


def test_detectable_effect_is_found_with_the_stated_power():
    """Against the definition, with the noncentral t replaced by simulation."""
    random = np.random.default_rng(0)
    estimate = estimate_ratio(Sums(random.normal(size=40), np.ones(40)))
    effect = minimum_detectable_effect(estimate, confidence=0.95, power=0.8)
    spread = estimate.standard_error * np.sqrt(40)
    draws = random.normal(effect, spread, size=(20000, 40))
    p_values = stats.ttest_1samp(draws, 0, axis=1).pvalue
    assert (p_values < 0.05).mean() == pytest.approx(0.8, abs=0.015)


def test_leaving_one_out_is_computing_without_it():
    random = np.random.default_rng(2)
    y, x = random.integers(0, 4, (2, 6)).astype(float), np.full((2, 6), 4.0)
    expected = [
        np.delete(y[0], place).sum() / 20 - np.delete(y[1], place).sum() / 20 for place in range(6)
    ]
    result = leave_one_out(Sums(y[0], x[0]), Sums(y[1], x[1]))
    np.testing.assert_allclose(result, expected)
