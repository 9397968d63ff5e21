"""How much the runs of one task resemble each other, and what that costs in precision."""

import numpy as np

from goodhart_gap.analysis.clustered import Estimate, Floats, Sums
from goodhart_gap.analysis.distributions import t_quantile


def intraclass_correlation(outcomes: Floats, clusters: Floats) -> float:
    """One-way analysis-of-variance estimate of the correlation of two runs of one task.

    Outcomes and integer cluster labels have shape [rows]; unequal cluster sizes are allowed
    (Donner 1986, Int. Stat. Rev. 54, 67-82). NaN with fewer than two clusters, one row a cluster,
    or no variation at all. May be negative, as the estimator is unbiased only that way.
    """
    labels, places = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(places).astype(np.float64)
    count, rows = len(labels), len(outcomes)
    if count < 2 or rows <= count:
        return float("nan")
    means = np.bincount(places, weights=outcomes) / sizes
    between = float((sizes * (means - outcomes.mean()) ** 2).sum()) / (count - 1)
    within = float(((outcomes - means[places]) ** 2).sum()) / (rows - count)
    size = (rows - float((sizes**2).sum()) / rows) / (count - 1)
    total = between + (size - 1) * within
    return (between - within) / total if total > 0 else float("nan")


def design_effect(estimate: Estimate, sums: Sums) -> float:
    """Variance of a rate with clustering over its variance if evaluations were independent."""
    count = float(sums.x.sum())
    independent = estimate.value * (1 - estimate.value) / count if count else 0.0
    if not estimate.has_error or independent <= 0:
        return float("nan")
    return estimate.standard_error**2 / independent


def minimum_detectable_effect(estimate: Estimate, confidence: float, power: float) -> float:
    """Smallest true change that a study of this precision detects with the given power."""
    if not estimate.has_error:
        return float("nan")
    freedom = estimate.degrees_of_freedom
    multiple = t_quantile((1 + confidence) / 2, freedom) + t_quantile(power, freedom)
    return float(multiple * estimate.standard_error)


def leave_one_out(treated: Sums, control: Sums) -> Floats:
    """Difference of the two ratios without each cluster in turn, shape [clusters].

    NaN where nothing is left in a denominator.
    """

    def without(sums: Sums) -> Floats:
        x = sums.x.sum() - sums.x
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(x != 0, (sums.y.sum() - sums.y) / x, np.nan)

    return without(treated) - without(control)
