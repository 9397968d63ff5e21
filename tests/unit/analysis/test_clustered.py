import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from goodhart_gap.analysis.clustered import (
    Sums,
    cluster_sums,
    difference_interval,
    estimate_difference,
    estimate_ratio,
    lower_end,
    rate_interval,
    share_of_others,
    t_interval,
    t_p_value,
)
from goodhart_gap.analysis.estimands import (
    condition_sums,
    estimand_named,
    pair_conditions,
    pair_sums,
)
from tests.unit.analysis.workshop import random_outcomes


def robust(y, design, groups):
    """statsmodels' cluster-robust fit with the small-sample factor G/(G-1) only."""
    fit = sm.OLS(y, design).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    count = len(np.unique(groups))
    return fit.params, fit.bse * np.sqrt(count / (count - 1))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["dbdk", "gap_rate", "understands", "executes"])
def test_rate_equals_the_linear_probability_model(seed, name):
    outcomes = random_outcomes(tasks=15, runs=5, seed=seed)
    group = outcomes[outcomes["condition"] == "baseline"]
    estimand = estimand_named(name)
    understands, executes = (
        group[column].to_numpy(float) for column in ("understands", "executes")
    )
    counted = estimand.denominator(understands, executes) > 0
    y = estimand.numerator(understands, executes)[counted]
    codes = pd.factorize(group["cluster"])[0][counted]
    params, errors = robust(y, np.ones(len(y)), codes)

    estimate = estimate_ratio(condition_sums(group, estimand))

    assert estimate.value == pytest.approx(params[0], abs=1e-10)
    assert estimate.standard_error == pytest.approx(errors[0], abs=1e-10)
    assert estimate.clusters == len(np.unique(codes))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["dbdk", "gap_rate", "understands", "dissociation"])
def test_difference_equals_the_linear_probability_model(seed, name):
    outcomes = random_outcomes(tasks=15, runs=5, seed=seed)
    both = outcomes[outcomes["condition"].isin(["baseline", "uniform"])]
    estimand = estimand_named(name)
    understands, executes = (both[column].to_numpy(float) for column in ("understands", "executes"))
    counted = estimand.denominator(understands, executes) > 0
    y = estimand.numerator(understands, executes)[counted]
    treated = (both["condition"] == "uniform").to_numpy(float)[counted]
    codes = pd.factorize(both["cluster"])[0][counted]
    params, errors = robust(y, np.column_stack([np.ones(len(y)), treated]), codes)

    pairs = pair_conditions(
        both[both["condition"] == "uniform"], both[both["condition"] == "baseline"]
    )
    estimate = estimate_difference(*pair_sums(pairs, estimand), "empty")

    assert estimate.value == pytest.approx(params[1], abs=1e-10)
    assert estimate.standard_error == pytest.approx(errors[1], abs=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_default_statsmodels_error_of_a_share_is_ours(seed):
    group = random_outcomes(seed=seed).query("condition == 'selective'")
    codes = pd.factorize(group["cluster"])[0]
    y = group["understands"].to_numpy(float)
    fit = sm.OLS(y, np.ones(len(y))).fit(cov_type="cluster", cov_kwds={"groups": codes})
    estimate = estimate_ratio(condition_sums(group, estimand_named("understands")))
    assert estimate.standard_error == pytest.approx(fit.bse[0], abs=1e-10)


def test_interval_uses_t_with_clusters_less_one():
    sums = Sums(y=np.array([1.0, 3.0]), x=np.array([4.0, 4.0]))
    estimate = estimate_ratio(sums)
    low, high = t_interval(estimate, 0.95)
    assert (high - low) / 2 / estimate.standard_error == pytest.approx(12.7062, abs=1e-4)


def test_a_rate_on_which_all_tasks_agree_gets_the_exact_interval():
    estimate = estimate_ratio(Sums(y=np.zeros(20), x=np.full(20, 5.0)))
    low, high, method = rate_interval(estimate, 0.95)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 20))
    assert method.startswith("exact")


def test_no_changed_task_is_bounded_not_certain():
    same = Sums(y=np.array([1.0, 0.0, 2.0]), x=np.full(3, 2.0))
    estimate = estimate_difference(same, same, "empty")
    low, high, method = difference_interval(estimate, 0.95, changed_clusters=0)
    assert (low, high) == (-high, pytest.approx(1 - 0.025 ** (1 / 3)))
    assert method == "exact, no task changed"
    assert t_p_value(estimate) == 1.0
    # A task's dissociation goes from -1 to 1, so that it may move twice as far.
    wide = difference_interval(estimate, 0.95, changed_clusters=0, limit=2.0)
    assert wide[:2] == pytest.approx((2 * low, 2 * high))


@pytest.mark.parametrize("tasks", [4, 7, 20])
def test_a_change_of_every_task_alike_has_an_interval(tasks):
    """As wide as the share of tasks that may be unlike all these, as the exact limit has it."""
    none, whole = Sums(np.zeros(tasks), np.full(tasks, 2.0)), Sums(*[np.full(tasks, 2.0)] * 2)
    others = share_of_others(tasks, 0.95)
    assert (1 - others) ** tasks == pytest.approx(0.025)
    gained = estimate_difference(whole, none, "empty")
    found = difference_interval(gained, 0.95, changed_clusters=tasks)
    assert found == (pytest.approx(1 - 2 * others), 1.0, "exact, all tasks alike")
    lost = estimate_difference(none, whole, "empty")
    low, high, _ = difference_interval(lost, 0.95, changed_clusters=tasks)
    assert (low, high) == (-1.0, pytest.approx(2 * others - 1))


def test_a_change_of_one_task_shows_no_more_than_none():
    """A run gained by one task of twenty is not evidence that nothing was lost."""
    same, gained = np.zeros(20), np.eye(20)[0]
    x = np.full(20, 2.0)
    estimate = estimate_difference(Sums(gained, x), Sums(same, x), "empty")
    low, _ = t_interval(estimate, 0.95)
    assert low > -0.05
    none = -share_of_others(20, 0.95)
    few, enough = (
        lower_end(low, changed_clusters=changed, clusters=20, confidence=0.95) for changed in (1, 5)
    )
    assert (few, enough) == (none, low)
    assert lower_end(-0.4, changed_clusters=1, clusters=20, confidence=0.95) == -0.4


def collapsed(still):
    """Forty tasks executed in all five runs; under treatment only the first `still` are."""
    random = np.random.default_rng(5)
    control = Sums(y=random.integers(0, 6, 40).astype(float), x=np.full(40, 5.0))
    x = np.where(np.arange(40) < still, 5.0, 0.0)
    return Sums(y=np.minimum(4.0, x), x=x), control


def test_a_difference_has_the_clusters_of_the_condition_with_fewer():
    one = estimate_difference(*collapsed(1), "empty")
    assert one.defined
    assert (one.clusters, one.note, one.has_error) == (1, "n/a (one task)", False)
    assert np.isnan(t_p_value(one))
    assert np.isnan(difference_interval(one, 0.95, changed_clusters=40)[0])
    three = estimate_difference(*collapsed(3), "empty")
    assert (three.clusters, three.degrees_of_freedom) == (3, 2)


def test_one_cluster_has_a_value_and_no_interval():
    estimate = estimate_ratio(Sums(y=np.array([2.0]), x=np.array([5.0])))
    assert estimate.value == pytest.approx(0.4)
    assert rate_interval(estimate, 0.95)[2] == "n/a (one task)"
    assert np.isnan(t_p_value(estimate))


def test_empty_denominator_has_a_note_and_no_value():
    estimate = estimate_ratio(Sums(y=np.zeros(3), x=np.zeros(3)), "no executed task")
    assert not estimate.defined
    assert estimate.note == "n/a (no executed task)"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), min_size=4, max_size=40))
def test_repeating_every_evaluation_changes_nothing(rows):
    """Copies of a run carry no information, and the clustered error does not pretend they do."""
    clusters = np.array([cluster for cluster, _ in rows])
    y = np.array([value for _, value in rows], dtype=float)
    once = estimate_ratio(cluster_sums(y, np.ones_like(y), clusters, 5))
    thrice = estimate_ratio(
        cluster_sums(np.tile(y, 3), np.ones(3 * len(y)), np.tile(clusters, 3), 5)
    )
    assert thrice.value == pytest.approx(once.value)
    assert thrice.standard_error == pytest.approx(once.standard_error, nan_ok=True)
