"""What is estimated: rates of one condition and their changes against the baseline.

Two evaluations are a pair when they share task, seed and run. Each estimand is a ratio of sums
over evaluations; a change is the ratio in one condition less that in the baseline, over the
pairs. DBDK and the gap rate are conditional on an outcome that compression may itself change, so
unconditional ones stand beside them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from goodhart_gap.analysis.clustered import Floats, Sums, cluster_sums
from goodhart_gap.analysis.quadrants import QUADRANTS
from goodhart_gap.errors import GoodhartError

Indicator = Callable[[Floats, Floats], Floats]
"""From understands and executes (0 or 1, shape [rows]) to a number a row."""


@dataclass(frozen=True)
class Estimand:
    """A ratio of sums, its name in tables and its label in documents."""

    name: str
    label: str
    numerator: Indicator
    denominator: Indicator
    undefined: str
    is_rate: bool = True
    """Whether it lies in [0, 1] and can be shown for one condition alone."""
    joint: bool = False
    """Whether its denominator takes only pairs counted in both conditions."""
    binary: bool = False
    """Whether it is the share of a 0/1 outcome, so that McNemar's test applies."""


def _all(understands: Floats, executes: Floats) -> Floats:
    return np.ones_like(understands)


def _executes(understands: Floats, executes: Floats) -> Floats:
    return executes


def _understands(understands: Floats, executes: Floats) -> Floats:
    return understands


ESTIMANDS = (
    Estimand(
        "dbdk",
        "DBDK, DK/(KD+DK)",
        numerator=lambda u, e: (1 - u) * e,
        denominator=_executes,
        undefined="no executed task",
    ),
    Estimand(
        "gap_rate",
        "gap rate, KF/(KD+KF)",
        numerator=lambda u, e: u * (1 - e),
        denominator=_understands,
        undefined="no understood task",
    ),
    Estimand("understands", "understands", _understands, _all, "no evaluation", binary=True),
    Estimand("executes", "executes", _executes, _all, "no evaluation", binary=True),
    Estimand(
        "dissociation",
        "dissociation, understands less executes",
        numerator=lambda u, e: u - e,
        denominator=_all,
        undefined="no evaluation",
        is_rate=False,
    ),
    Estimand(
        "understands_both_executed",
        "understands, pairs both executed",
        numerator=_understands,
        denominator=_executes,
        undefined="no pair executed in both",
        joint=True,
        binary=True,
    ),
)

RATES = tuple(estimand for estimand in ESTIMANDS if estimand.is_rate and not estimand.joint)


def quadrant_estimands() -> tuple[Estimand, ...]:
    """Return the unconditional share of each quadrant as an estimand."""
    indicators: dict[str, Indicator] = {
        "KD": lambda u, e: u * e,
        "KF": lambda u, e: u * (1 - e),
        "DK": lambda u, e: (1 - u) * e,
        "NN": lambda u, e: (1 - u) * (1 - e),
    }
    return tuple(
        Estimand(f"share_{name}", f"share of {name}", indicators[name], _all, "no evaluation")
        for name in QUADRANTS
    )


def estimand_named(name: str) -> Estimand:
    """Return the estimand called `name`."""
    for estimand in (*ESTIMANDS, *quadrant_estimands()):
        if estimand.name == name:
            return estimand
    raise GoodhartError(f"statistics: estimand {name!r} is unknown; use one of the documented.")


@dataclass(frozen=True)
class Pairs:
    """Paired outcomes of a condition and the baseline, float64 0/1 of shape [pairs]."""

    treated_understands: Floats
    treated_executes: Floats
    control_understands: Floats
    control_executes: Floats
    clusters: NDArray[np.int64]
    names: tuple[str, ...]
    """Cluster names; `clusters` holds places in it."""
    unpaired: int
    """Evaluations of either condition that have no partner."""

    @property
    def count(self) -> int:
        """Number of pairs."""
        return len(self.clusters)


def condition_sums(table: pd.DataFrame, estimand: Estimand) -> Sums:
    """Cluster sums of an estimand over the evaluations of one condition."""
    codes, names = pd.factorize(table["cluster"], sort=True)
    understands = table["understands"].to_numpy(np.float64)
    executes = table["executes"].to_numpy(np.float64)
    return cluster_sums(
        estimand.numerator(understands, executes),
        estimand.denominator(understands, executes),
        codes.astype(np.int64),
        len(names),
    )


def pair_conditions(treated: pd.DataFrame, control: pd.DataFrame) -> Pairs:
    """Pair the evaluations of two conditions by task, seed and run."""
    columns = ["task", "seed", "run", "cluster", "understands", "executes"]
    merged = treated[columns].merge(
        control[columns].drop(columns="cluster"),
        on=["task", "seed", "run"],
        suffixes=("_treated", "_control"),
        validate="one_to_one",
    )
    codes, names = pd.factorize(merged["cluster"], sort=True)

    def column(name: str) -> Floats:
        return merged[name].to_numpy(np.float64)

    return Pairs(
        treated_understands=column("understands_treated"),
        treated_executes=column("executes_treated"),
        control_understands=column("understands_control"),
        control_executes=column("executes_control"),
        clusters=codes.astype(np.int64),
        names=tuple(str(name) for name in names),
        unpaired=len(treated) + len(control) - 2 * len(merged),
    )


def pair_rows(pairs: Pairs, estimand: Estimand) -> tuple[Floats, Floats, Floats, Floats]:
    """Return (y, x) of the treated and (y, x) of the control, each of shape [pairs]."""
    x1 = estimand.denominator(pairs.treated_understands, pairs.treated_executes)
    x0 = estimand.denominator(pairs.control_understands, pairs.control_executes)
    if estimand.joint:
        x1 = x0 = x1 * x0
    y1 = estimand.numerator(pairs.treated_understands, pairs.treated_executes)
    y0 = estimand.numerator(pairs.control_understands, pairs.control_executes)
    if estimand.joint:
        y1, y0 = y1 * x1, y0 * x0
    return y1, x1, y0, x0


def pair_sums(pairs: Pairs, estimand: Estimand) -> tuple[Sums, Sums]:
    """Cluster sums of an estimand over the pairs: (treated, control)."""
    y1, x1, y0, x0 = pair_rows(pairs, estimand)
    count = len(pairs.names)
    return (
        cluster_sums(y1, x1, pairs.clusters, count),
        cluster_sums(y0, x0, pairs.clusters, count),
    )
