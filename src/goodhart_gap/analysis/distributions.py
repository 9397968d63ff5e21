"""Probabilities and quantiles of the distributions that the estimators use.

They come from scipy.special, which loads in a quarter of the time of scipy.stats: most of what a
job on a small table would otherwise spend. Tested against scipy.stats.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


def normal_below(values: ArrayLike) -> Floats:
    """Chance that a standard normal lies below each value."""
    return np.asarray(special.ndtr(values))


def normal_quantile(chances: ArrayLike) -> Floats:
    """Value below which a standard normal lies with each chance."""
    return np.asarray(special.ndtri(chances))


def both_below(first: float, second: float, correlation: float) -> float:
    """Chance that two standard normals of this correlation lie below `first` and `second`.

    By Owen's T function (Owen 1956, Ann. Math. Stat. 27, 1075-1090).
    """
    if abs(correlation) >= 1:
        # One variable, or one and its negative.
        if correlation > 0:
            return float(special.ndtr(min(first, second)))
        return max(0.0, float(special.ndtr(first) - special.ndtr(-second)))
    spread = np.sqrt(1 - correlation**2)

    def owen(own: float, other: float) -> float:
        if own == 0:
            # The slope is infinite, with the sign of the other variable.
            return float(np.sign(other)) / 4
        return float(special.owens_t(own, (other / own - correlation) / spread))

    if first == 0 and second == 0:
        return 0.25 + float(np.arcsin(correlation)) / (2 * np.pi)
    opposite = first * second < 0 or (first * second == 0 and first + second < 0)
    average = (special.ndtr(first) + special.ndtr(second)) / 2
    return float(average - owen(first, second) - owen(second, first) - (0.5 if opposite else 0.0))


def t_above(values: ArrayLike, freedom: ArrayLike) -> Floats:
    """Chance that Student's t with `freedom` degrees of freedom lies above each value."""
    return np.asarray(special.stdtr(freedom, -np.asarray(values, dtype=np.float64)))


def t_quantile(chance: float, freedom: float) -> float:
    """Value below which Student's t lies with this chance."""
    return float(special.stdtrit(freedom, chance))


def shifted_t_above(value: ArrayLike, freedom: ArrayLike, shift: ArrayLike) -> Floats:
    """Chance that a noncentral t lies above `value`: the power of a one-sided t test."""
    return 1 - np.asarray(special.nctdtr(freedom, shift, value))


def chi_square_above(value: float, freedom: int) -> float:
    """Chance that chi-square lies above a value."""
    return float(special.chdtrc(freedom, value))


def exact_interval(successes: int, draws: int, confidence: float) -> tuple[float, float]:
    """Exact binomial interval of a share (Clopper and Pearson 1934, Biometrika 26, 404-413)."""
    tail = (1 - confidence) / 2
    low = special.betaincinv(successes, draws - successes + 1, tail) if successes else 0.0
    if successes == draws:
        return (float(low), 1.0)
    return (float(low), float(special.betaincinv(successes + 1, draws - successes, 1 - tail)))


def wilson_interval(successes: int, draws: int, confidence: float) -> tuple[float, float]:
    """Score interval of a share of independent draws (Wilson 1927, JASA 22, 209-212)."""
    z = float(special.ndtri((1 + confidence) / 2))
    share = successes / draws
    middle = (share + z**2 / (2 * draws)) / (1 + z**2 / draws)
    half = z / (1 + z**2 / draws) * np.sqrt(share * (1 - share) / draws + (z / draws) ** 2 / 4)
    low = 0.0 if not successes else float(middle - half)
    return (low, 1.0 if successes == draws else float(middle + half))


def fair_coin_p_value(heads: int, tosses: int) -> float:
    """Exact two-sided p value that a coin is fair; 1 without a toss."""
    if not tosses:
        return 1.0
    fewer = min(heads, tosses - heads)
    return min(1.0, 2 * float(special.bdtr(fewer, tosses, 0.5)))
