"""Rates and their differences when runs of one task are not independent.

A rate is a ratio r = sum(y) / sum(x) over evaluations. Its first-order (linearised) deviation a
cluster is d_g = sum over g of (y - r x) / sum(x), and its variance G/(G-1) * sum of d_g^2, where
G counts the clusters that contribute to it (Taylor linearisation, Binder 1983, Int. Stat. Rev. 51,
279-292). For a share among rows with x = 1 this is the cluster-robust variance of a
linear-probability model with an intercept (Liang and Zeger 1986, Biometrika 73, 13-22). A
difference of two ratios has the difference of the deviations, which carries the pairing.
Intervals use t with G - 1 degrees of freedom, where a difference has the G of the condition with
fewer clusters.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from goodhart_gap.analysis.distributions import Floats, exact_interval, t_above, t_quantile


@dataclass(frozen=True)
class Sums:
    """Numerator y and denominator x summed over each cluster, both float64 of shape [clusters]."""

    y: Floats
    x: Floats

    @property
    def ratio(self) -> float:
        """The rate, NaN where the denominator is 0."""
        total = float(self.x.sum())
        return float(self.y.sum()) / total if total else float("nan")

    @property
    def deviations(self) -> Floats:
        """Linearised deviation a cluster, shape [clusters]."""
        return (self.y - self.ratio * self.x) / self.x.sum()


@dataclass(frozen=True)
class Estimate:
    """A number with its cluster-robust standard error; NaN and a note where it is not defined."""

    value: float
    standard_error: float = float("nan")
    clusters: int = 0
    note: str = ""
    deviations: Floats = field(default_factory=lambda: np.empty(0), repr=False, compare=False)

    @property
    def degrees_of_freedom(self) -> int:
        """Clusters that contribute, less one."""
        return self.clusters - 1

    @property
    def defined(self) -> bool:
        """Whether the estimate itself exists."""
        return bool(np.isfinite(self.value))

    @property
    def has_error(self) -> bool:
        """Whether the standard error exists and is not 0."""
        return bool(np.isfinite(self.standard_error)) and self.standard_error > 0


def cluster_sums(y: Floats, x: Floats, clusters: NDArray[np.int64], count: int) -> Sums:
    """Sum y and x, shape [rows], over `clusters`, row labels in 0..count-1."""
    return Sums(
        y=np.bincount(clusters, weights=y, minlength=count).astype(np.float64),
        x=np.bincount(clusters, weights=x, minlength=count).astype(np.float64),
    )


def estimate_ratio(sums: Sums, undefined: str = "empty denominator") -> Estimate:
    """Estimate a rate; `undefined` is the note given where the denominator is 0."""
    if not sums.x.sum():
        return Estimate(float("nan"), note=f"n/a ({undefined})")
    return _estimate(sums.ratio, sums.deviations, int(np.count_nonzero(sums.x)))


def estimate_difference(treated: Sums, control: Sums, undefined: str) -> Estimate:
    """Estimate the ratio of `treated` less that of `control`, over the same clusters.

    It has as many clusters as the one of the two that rests on fewer: such a ratio varies as those
    few do, however many the other one has.
    """
    if not treated.x.sum() or not control.x.sum():
        return Estimate(float("nan"), note=f"n/a ({undefined})")
    contributing = int(np.count_nonzero((treated.x != 0) | (control.x != 0)))
    estimate = _estimate(
        treated.ratio - control.ratio, treated.deviations - control.deviations, contributing
    )
    fewest = int(min(np.count_nonzero(treated.x), np.count_nonzero(control.x)))
    if fewest < 2:
        return Estimate(estimate.value, clusters=fewest, note="n/a (one task)")
    return replace(estimate, clusters=fewest)


def t_interval(estimate: Estimate, confidence: float) -> tuple[float, float]:
    """Two-sided t interval with G - 1 degrees of freedom; NaN where there is no error."""
    if not estimate.has_error:
        return (float("nan"), float("nan"))
    half = estimate.standard_error * t_quantile((1 + confidence) / 2, estimate.degrees_of_freedom)
    return (estimate.value - half, estimate.value + half)


def rate_interval(estimate: Estimate, confidence: float) -> tuple[float, float, str]:
    """Return (low, high, method) for a rate, inside [0, 1].

    Where every cluster agrees the linearised error is 0, which says nothing about other tasks;
    the exact binomial interval with one draw a cluster is given instead.
    """
    if not estimate.defined or estimate.clusters < 2:
        return (float("nan"), float("nan"), estimate.note or "n/a (one task)")
    if estimate.has_error:
        low, high = t_interval(estimate, confidence)
        return (max(low, 0.0), min(high, 1.0), "t")
    if estimate.value not in (0.0, 1.0):
        return (float("nan"), float("nan"), "n/a (no variation between tasks)")
    successes = round(estimate.value * estimate.clusters)
    low, high = exact_interval(successes, estimate.clusters, confidence)
    return (low, high, "exact, one draw a task")


def difference_interval(
    estimate: Estimate, confidence: float, *, changed_clusters: int, limit: float = 1.0
) -> tuple[float, float, str]:
    """Return (low, high, method) for a difference of two rates, inside [-limit, limit].

    Where all clusters agree, the share of other tasks that would not is bounded by the exact
    binomial limit, and so is the difference: no task moves it by more than `limit` times its share.
    """
    if not estimate.defined or estimate.clusters < 2:
        return (float("nan"), float("nan"), estimate.note or "n/a (one task)")
    if estimate.has_error:
        low, high = t_interval(estimate, confidence)
        return (max(low, -limit), min(high, limit), "t")
    others = share_of_others(estimate.clusters, confidence)
    low, high = (estimate.value * (1 - others) + sign * limit * others for sign in (-1, 1))
    method = "exact, all tasks alike" if changed_clusters else "exact, no task changed"
    return (max(low, -limit), min(high, limit), method)


def share_of_others(clusters: int, confidence: float) -> float:
    """Return the largest share of tasks that may be unlike `clusters` which are all alike.

    The upper exact binomial limit (Clopper and Pearson 1934) for none in `clusters`.
    """
    return 1 - ((1 - confidence) / 2) ** (1 / clusters)


FEWEST_CHANGED = 5
"""Clusters that must have changed before their spread alone says how certain a change is."""


def lower_end(low: float, *, changed_clusters: int, clusters: int, confidence: float) -> float:
    """Return the lower end of a change of a rate that may rest on few clusters.

    One task that gained a run would show that nothing was lost, where no change at all in as many
    tasks does not: with so few, no more is shown than if none had changed.
    """
    if clusters < 2 or changed_clusters >= FEWEST_CHANGED:
        return low
    return min(low, -share_of_others(clusters, confidence))


def t_p_value(estimate: Estimate) -> float:
    """Two-sided p value of a zero difference; 1 where nothing changed, NaN where undefined."""
    if estimate.has_error:
        ratio = abs(estimate.value) / estimate.standard_error
        return float(2 * t_above(ratio, estimate.degrees_of_freedom))
    if estimate.defined and estimate.clusters > 1 and estimate.value == 0:
        return 1.0
    return float("nan")


def _estimate(value: float, deviations: Floats, clusters: int) -> Estimate:
    if clusters < 2:
        return Estimate(value, clusters=clusters, note="n/a (one task)", deviations=deviations)
    variance = clusters / (clusters - 1) * float((deviations**2).sum())
    # Deviations that cancel exactly in theory leave rounding dust; do not call that a variance.
    error = float(np.sqrt(variance)) if variance > 1e-24 else 0.0
    return Estimate(value, error, clusters, deviations=deviations)
