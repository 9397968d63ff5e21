"""Transitions between quadrants, and flips beside the noise floor.

A flip is a pair of evaluations of one task whose quadrants differ. Repeating a sampled run flips
some tasks by itself: the noise floor is the share of flips among pairs of different runs of the
baseline. A condition is compared with it on equal terms: baseline run i against run j of the
condition, i and j different.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from goodhart_gap.analysis.clustered import (
    Sums,
    difference_interval,
    estimate_difference,
    estimate_ratio,
    rate_interval,
)
from goodhart_gap.analysis.quadrants import QUADRANTS
from goodhart_gap.analysis.settings import ExperimentDesign, StatisticsSettings

FLIP_COLUMNS = [
    "condition",
    "kind",
    "flips",
    "pairs",
    "tasks",
    "share",
    "standard_error",
    "low",
    "high",
    "method",
    "note",
]


def transition_table(outcomes: pd.DataFrame, design: ExperimentDesign) -> pd.DataFrame:
    """Paired counts from each baseline quadrant to each quadrant of the condition, all cells."""
    rows = []
    for name, merged in _paired_quadrants(outcomes, design):
        counts = merged.groupby(["from", "to"]).size()
        for before in QUADRANTS:
            for after in QUADRANTS:
                rows.append(
                    {
                        "condition": name,
                        "from": before,
                        "to": after,
                        "count": int(counts.get((before, after), 0)),
                        "pairs": len(merged),
                    }
                )
    return pd.DataFrame(rows, columns=["condition", "from", "to", "count", "pairs"])


def move_table(outcomes: pd.DataFrame, design: ExperimentDesign) -> pd.DataFrame:
    """Pairs that changed quadrant, counted by condition, transition and task."""
    columns = ["condition", "from", "to", "task", "count"]
    moved = [
        merged[merged["from"] != merged["to"]].assign(condition=name)
        for name, merged in _paired_quadrants(outcomes, design)
    ]
    if not moved:
        return pd.DataFrame(columns=columns)
    counts = pd.concat(moved).groupby(columns[:-1], sort=False, as_index=False).size()
    return counts.rename(columns={"size": "count"})[columns]


def flip_table(
    outcomes: pd.DataFrame, design: ExperimentDesign, settings: StatisticsSettings
) -> pd.DataFrame:
    """Shares of flips a condition and kind.

    `within`: different runs of the condition itself (for the baseline, the noise floor);
    `same_run`: the run of the baseline with the same number; `other_run`: different run numbers;
    `excess`: `other_run` less the baseline's `within`, the flips that noise does not explain.
    """
    clusters = sorted(outcomes["cluster"].unique())
    quadrants = {
        name: _quadrants(outcomes[outcomes["condition"] == name]) for name in design.conditions
    }
    reference = quadrants[design.baseline]
    floor = _count_flips(reference, reference, clusters, _within)
    rows = []
    for name in design.conditions:
        within = _count_flips(quadrants[name], quadrants[name], clusters, _within)
        rows.append(_share_row(name, "within", within, "one run", settings))
        if name == design.baseline:
            continue
        same = _count_flips(reference, quadrants[name], clusters, _same)
        other = _count_flips(reference, quadrants[name], clusters, _different)
        rows.append(_share_row(name, "same_run", same, "no pair of runs", settings))
        rows.append(_share_row(name, "other_run", other, "one run", settings))
        rows.append(_excess_row(name, other, floor, settings))
    return pd.DataFrame(rows, columns=FLIP_COLUMNS)


def _paired_quadrants(
    outcomes: pd.DataFrame, design: ExperimentDesign
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each compared condition with the quadrants (`from`, `to`) of its pairs, and tasks."""
    keys = ["task", "seed", "run"]
    quadrants = outcomes[[*keys, "condition", "quadrant"]]
    baseline = quadrants[quadrants["condition"] == design.baseline]
    for name in design.compared:
        treated = quadrants[quadrants["condition"] == name]
        merged = treated.merge(baseline, on=keys, suffixes=("_to", "_from"))
        yield name, merged.rename(columns={"quadrant_to": "to", "quadrant_from": "from"})


Run = tuple[int, int]
"""A seed and a run number."""

Runs = dict[Run, str]
"""A task's quadrant by run."""

Quadrants = dict[str, dict[str, Runs]]
"""Cluster to task to its runs."""


def _within(runs: Runs, same: Runs) -> tuple[int, int]:
    """Flips and pairs among the different runs of one condition, each pair once."""
    alike = sum(comb(count, 2) for count in Counter(runs.values()).values())
    pairs = comb(len(runs), 2)
    return pairs - alike, pairs


def _same(left: Runs, right: Runs) -> tuple[int, int]:
    """Flips and pairs of runs with equal numbers."""
    common = left.keys() & right.keys()
    return sum(left[run] != right[run] for run in common), len(common)


def _different(left: Runs, right: Runs) -> tuple[int, int]:
    """Flips and pairs of runs with unequal numbers.

    Counted by quadrant, not pair by pair: there are as many pairs as the square of the runs.
    """
    before, after = Counter(left.values()), Counter(right.values())
    alike = sum(count * after[quadrant] for quadrant, count in before.items())
    pairs = len(left) * len(right)
    flips_same, pairs_same = _same(left, right)
    return pairs - alike - flips_same, pairs - pairs_same


def _quadrants(table: pd.DataFrame) -> Quadrants:
    found: Quadrants = {}
    for row in table.itertuples():
        runs = found.setdefault(row.cluster, {}).setdefault(row.task, {})
        runs[(int(row.seed), int(row.run))] = row.quadrant
    return found


def _count_flips(
    left: Quadrants,
    right: Quadrants,
    clusters: list[str],
    count: Callable[[Runs, Runs], tuple[int, int]],
) -> Sums:
    """Count flips (y) and pairs (x) a cluster, as `count` counts those of a task."""
    flips, pairs = np.zeros(len(clusters)), np.zeros(len(clusters))
    for place, cluster in enumerate(clusters):
        for task, runs in left.get(cluster, {}).items():
            found = count(runs, right.get(cluster, {}).get(task, {}))
            flips[place] += found[0]
            pairs[place] += found[1]
    return Sums(flips, pairs)


def _share_row(
    condition: str, kind: str, sums: Sums, undefined: str, settings: StatisticsSettings
) -> dict[str, Any]:
    estimate = estimate_ratio(sums, undefined)
    low, high, method = rate_interval(estimate, settings.confidence)
    return {
        "condition": condition,
        "kind": kind,
        "flips": int(sums.y.sum()),
        "pairs": int(sums.x.sum()),
        "tasks": estimate.clusters,
        "share": estimate.value,
        "standard_error": estimate.standard_error,
        "low": low,
        "high": high,
        "method": method,
        "note": estimate.note,
    }


def _excess_row(
    condition: str, other: Sums, floor: Sums, settings: StatisticsSettings
) -> dict[str, Any]:
    estimate = estimate_difference(other, floor, "one run")
    changed = int(np.count_nonzero((other.y > 0) | (floor.y > 0)))
    low, high, method = difference_interval(estimate, settings.confidence, changed_clusters=changed)
    return {
        "condition": condition,
        "kind": "excess",
        "flips": None,
        "pairs": None,
        "tasks": estimate.clusters,
        "share": estimate.value,
        "standard_error": estimate.standard_error,
        "low": low,
        "high": high,
        "method": method,
        "note": estimate.note,
    }
