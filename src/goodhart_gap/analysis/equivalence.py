"""Two one-sided tests: is a change smaller than the margin set in advance?"""

from goodhart_gap.analysis.clustered import Estimate
from goodhart_gap.analysis.distributions import t_above


def equivalence_p_value(estimate: Estimate, margin: float) -> float:
    """Larger p value of the two one-sided t tests against -margin and +margin (Schuirmann 1987).

    NaN where the estimate has no standard error.
    """
    if not estimate.has_error:
        return float("nan")
    freedom = estimate.degrees_of_freedom
    above = (estimate.value + margin) / estimate.standard_error
    below = (estimate.value - margin) / estimate.standard_error
    return float(max(t_above(above, freedom), t_above(-below, freedom)))


def unchanged_is_equivalent(clusters: int, margin: float, alpha: float, limit: float = 1.0) -> bool:
    """Whether no change in any of `clusters` tasks bounds the change inside the margin.

    The share of tasks that could change is at most 1 - alpha^(1/G) at one-sided level alpha, and
    one task changes by at most `limit`: 1 for a rate, 2 for a difference of rates.
    """
    return clusters > 1 and limit * (1 - alpha ** (1 / clusters)) < margin
