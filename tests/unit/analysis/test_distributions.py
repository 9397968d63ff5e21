"""Against scipy.stats, which computes the same slower and starts later."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from goodhart_gap.analysis.distributions import (
    both_below,
    chi_square_above,
    exact_interval,
    fair_coin_p_value,
    normal_below,
    normal_quantile,
    shifted_t_above,
    t_above,
    t_quantile,
    wilson_interval,
)

CASES = [(0, 1), (1, 1), (0, 20), (20, 20), (7, 20), (24, 67), (67, 100), (3, 400)]


@pytest.mark.parametrize(("successes", "draws"), CASES)
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_intervals_of_a_share(successes, draws, confidence):
    result = stats.binomtest(successes, draws)
    for ours, method in ((exact_interval, "exact"), (wilson_interval, "wilson")):
        expected = result.proportion_ci(confidence, method)
        assert ours(successes, draws, confidence) == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize(("heads", "tosses"), [(0, 0), *CASES])
def test_the_fair_coin(heads, tosses):
    expected = stats.binomtest(heads, tosses).pvalue if tosses else 1.0
    assert fair_coin_p_value(heads, tosses) == pytest.approx(expected, abs=1e-12)


def test_students_t():
    values = np.linspace(-6, 6, 25)
    for freedom in (1, 4, 19, 499):
        np.testing.assert_allclose(
            t_above(values, freedom), stats.t.sf(values, freedom), atol=1e-12
        )
        assert t_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=1e-9)
        for shift in (0.0, 1.5, 4.0, 30.0):
            expected = stats.nct.sf(2.1, freedom, shift)
            assert shifted_t_above(2.1, freedom, shift) == pytest.approx(expected, abs=1e-8)


def test_normal_and_chi_square():
    values = np.linspace(-8, 8, 33)
    np.testing.assert_allclose(normal_below(values), stats.norm.cdf(values), rtol=1e-12)
    chances = np.array([1e-9, 0.2, 0.5, 0.999])
    np.testing.assert_allclose(normal_quantile(chances), stats.norm.ppf(chances), rtol=1e-12)
    assert chi_square_above(3.2, 1) == pytest.approx(stats.chi2.sf(3.2, 1))
    assert chi_square_above(3.2, 4) == pytest.approx(stats.chi2.sf(3.2, 4))


@pytest.mark.parametrize("correlation", [-1.0, -0.7, 0.0, 0.3, 0.9, 0.98, 1.0])
def test_two_normals_below(correlation):
    covariance = [[1.0, correlation], [correlation, 1.0]]
    places = (-2.5, -0.4, 0.0, 0.3, 1.7)
    for first in places:
        for second in places:
            expected = stats.multivariate_normal.cdf(
                [first, second], cov=covariance, allow_singular=True
            )
            assert both_below(first, second, correlation) == pytest.approx(expected, abs=1e-7)


def test_the_light_modules_load_without_scipy_stats():
    modules = ("clustered", "tables", "variance", "equivalence", "flips", "artefacts", "audit")
    lines = [f"import goodhart_gap.analysis.{name}" for name in (*modules, "power", "resampling")]
    code = "\n".join(["import sys", *lines, "sys.exit('scipy.stats' in sys.modules)"])
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
