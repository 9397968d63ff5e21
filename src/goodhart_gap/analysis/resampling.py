"""Tests and intervals that lean on resampling or enumeration instead of a normal approximation."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from goodhart_gap.analysis.clustered import Floats, Sums
from goodhart_gap.analysis.distributions import chi_square_above, fair_coin_p_value

ENUMERATION_LIMIT = 16
"""Up to this many exchangeable clusters every label swap is enumerated (2^16 of them)."""

BATCH = 20000
"""Label swaps evaluated at once, to bound memory."""


@dataclass(frozen=True)
class PermutationResult:
    """A two-sided p value, how many swaps it rests on, and whether those are all there are."""

    p_value: float
    swaps: int
    exact: bool


def bootstrap_interval(
    treated: Sums, control: Sums | None, *, confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    """Percentile interval of a ratio, or of a difference of two, over resampled clusters.

    Whole clusters are drawn with replacement, as many as there are; draws whose denominator is 0
    are left out. NaN where a ratio rests on fewer than two clusters or most draws are undefined.
    """
    count = len(treated.x)
    ratios = [treated, control] if control else [treated]
    if min(np.count_nonzero(sums.x) for sums in ratios) < 2:
        return (float("nan"), float("nan"))
    random = np.random.default_rng([seed, count, resamples])
    weights = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    values = _weighted_ratio(weights, treated)
    if control is not None:
        values = values - _weighted_ratio(weights, control)
    values = values[np.isfinite(values)]
    if len(values) < resamples / 2:
        return (float("nan"), float("nan"))
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return (float(low), float(high))


def permutation_test(
    treated: Sums, control: Sums, *, permutations: int, seed: int
) -> PermutationResult:
    """Swap the condition labels of whole clusters; the statistic is the absolute difference.

    Exact under the hypothesis that a task's runs are exchangeable between the two conditions.
    Clusters whose sums are the same in both conditions change nothing when swapped and are left
    out, so that few changed tasks are enumerated in full. With random swaps the observed labels
    count as one of them (Phipson and Smyth 2010, SAGMB 9, 39).
    """
    observed = treated.ratio - control.ratio
    if not np.isfinite(observed):
        return PermutationResult(float("nan"), 0, exact=False)
    differs = (treated.y != control.y) | (treated.x != control.x)
    changed = int(np.count_nonzero(differs))
    change = np.stack([control.y - treated.y, control.x - treated.x], axis=1)[differs]
    exact = changed <= ENUMERATION_LIMIT
    if exact:
        swaps = np.array(list(product((0.0, 1.0), repeat=changed))).reshape(2**changed, changed)
    else:
        random = np.random.default_rng([seed, changed, permutations])
        swaps = random.integers(0, 2, size=(permutations, changed)).astype(np.float64)
    extreme = defined = 0
    for start in range(0, len(swaps), BATCH):
        moved = swaps[start : start + BATCH] @ change
        statistic = _swapped_difference(moved, treated, control)
        finite = np.isfinite(statistic)
        defined += int(finite.sum())
        extreme += int((np.abs(statistic[finite]) >= abs(observed) - 1e-12).sum())
    if exact:
        return PermutationResult(extreme / defined, defined, exact=True)
    return PermutationResult((extreme + 1) / (defined + 1), defined, exact=False)


def mcnemar_exact(gained: int, lost: int) -> float:
    """Exact two-sided McNemar p value from the discordant pairs (McNemar 1947), 1 with none."""
    return fair_coin_p_value(gained, gained + lost)


def mcnemar_clustered(gained: Floats, lost: Floats, pairs: Floats) -> float:
    """Durkalski's McNemar p value for clustered pairs (2003, Stat. Med. 22, 2417-2428).

    Shapes [clusters]; clusters without a pair do not count. 1 where no cluster is unbalanced.
    """
    counted = pairs > 0
    shifts = (gained[counted] - lost[counted]) / pairs[counted]
    spread = float((shifts**2).sum())
    if not counted.any():
        return float("nan")
    return chi_square_above(shifts.sum() ** 2 / spread, 1) if spread > 0 else 1.0


def _weighted_ratio(weights: NDArray[np.int64], sums: Sums) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (weights @ sums.y) / (weights @ sums.x)


def _swapped_difference(moved: Floats, treated: Sums, control: Sums) -> Floats:
    """Difference of ratios after `moved` (y, x), shape [swaps, 2], went from control to treated."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (treated.y.sum() + moved[:, 0]) / (treated.x.sum() + moved[:, 1]) - (
            control.y.sum() - moved[:, 0]
        ) / (control.x.sum() - moved[:, 1])
