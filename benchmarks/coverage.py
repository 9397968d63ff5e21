"""Do the intervals cover, and do the tests err as often as they may?

    python benchmarks/coverage.py --simulations 1000

Experiments are drawn from a known population of tasks (the probit-normal model of
goodhart_gap.analysis.power_model, with understanding and execution correlated within a task),
without any true change between the two conditions, and analysed like a real one. Printed for each
size: how often the interval holds the truth, and how often each test finds a change that is not
there. In the last column understanding truly changes by the equivalence margin, and equivalence is
found all the same.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy import stats

from goodhart_gap.analysis.clustered import (
    Sums,
    cluster_sums,
    difference_interval,
    estimate_difference,
    estimate_ratio,
    rate_interval,
    t_p_value,
)
from goodhart_gap.analysis.distributions import wilson_interval
from goodhart_gap.analysis.equivalence import equivalence_p_value
from goodhart_gap.analysis.estimands import Estimand, estimand_named
from goodhart_gap.analysis.resampling import (
    bootstrap_interval,
    mcnemar_clustered,
    mcnemar_exact,
    permutation_test,
)

WITHIN, ACROSS, BETWEEN_ROLES = 0.85, 0.7, 0.2
MEANS = {"understands": 0.7, "executes": 0.65}
SIZES = ("20x5", "50x5", "100x5", "500x1")
NAMES = ("understands", "dissociation", "dbdk", "gap_rate")
MARGIN = 0.05
COLUMNS = ("rate", "independent", "change", "bootstrap")
TESTS = ("t", "permutation", "mcnemar", "mcnemar_clustered", "equivalence")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="tasks x runs, such as 20x5")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    truth = population_rates(args.seed)
    rows = []
    print(f"truth: {', '.join(f'{name} {value:.4f}' for name, value in truth.items())}")
    print("coverage of 95 % intervals; false alarms at 5 % (percent)")
    header = ("tasks", "runs", "estimand", "rate", "as if ind.", "change", "bootstrap")
    tests = ("t", "permutation", "McNemar", "clustered", "equivalence")
    print("".join(f"{name:>13}" for name in (*header, *tests)))
    for tasks, runs in (map(int, size.split("x")) for size in args.sizes):
        start = time.perf_counter()
        found = simulate(tasks, runs, truth, args.simulations, args.seed)
        for name, row in found.items():
            shown = [f"{100 * value:.1f}" if value is not None else "-" for value in row.values()]
            print("".join(f"{cell:>13}" for cell in (tasks, runs, name, *shown)), flush=True)
            rows.append({"tasks": tasks, "runs": runs, "estimand": name} | row)
        rows[-1]["wall_s"] = round(time.perf_counter() - start, 1)
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text("".join(json.dumps(row) + "\n" for row in rows))


def draw(
    tasks: int, runs: int, random: np.random.Generator, change: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return understands and executes, 0/1, shape [2 conditions, tasks, runs].

    `change` is added to the mean of understanding under the second condition.
    """
    common = random.standard_normal((1, tasks))
    outcomes = []
    for name, mean in MEANS.items():
        role = random.standard_normal((1, tasks))
        own = random.standard_normal((2, tasks))
        effect = (
            np.sqrt(BETWEEN_ROLES) * common
            + np.sqrt(ACROSS - BETWEEN_ROLES) * role
            + np.sqrt(WITHIN - ACROSS) * own
        )
        means = np.array([[mean], [mean + change if name == "understands" else mean]])
        chance = stats.norm.cdf((stats.norm.ppf(means) + effect) / np.sqrt(1 - WITHIN))
        outcomes.append((random.random((2, tasks, runs)) < chance[:, :, None]).astype(float))
    return outcomes[0], outcomes[1]


def population_rates(seed: int) -> dict[str, float]:
    """The true rates, from very many tasks."""
    understands, executes = draw(2_000_000, 1, np.random.default_rng([seed, 99]))
    return {
        name: float(
            estimand_named(name).numerator(understands, executes).sum()
            / estimand_named(name).denominator(understands, executes).sum()
        )
        for name in NAMES
    }


def simulate(
    tasks: int, runs: int, truth: dict[str, float], simulations: int, seed: int
) -> dict[str, dict[str, float | None]]:
    """Return coverage and false alarms of one size, by estimand."""
    random = np.random.default_rng([seed, tasks, runs])
    clusters = np.repeat(np.arange(tasks), runs)
    tallies: dict[str, list[list[float]]] = {name: [] for name in NAMES}
    for number in range(simulations):
        outcomes, moved = draw(tasks, runs, random), draw(tasks, runs, random, MARGIN)
        for name in NAMES:
            estimand = estimand_named(name)
            control, treated = sums_of(estimand, outcomes, clusters)
            if not (control.x.sum() and treated.x.sum()):
                continue
            change = estimate_difference(treated, control, "empty")
            changed = int(((treated.y != control.y) | (treated.x != control.x)).sum())
            low, high, _ = difference_interval(change, 0.95, changed_clusters=changed, limit=2.0)
            boot = bootstrap_interval(treated, control, confidence=0.95, resamples=400, seed=number)
            swap = permutation_test(treated, control, permutations=400, seed=number)
            tallies[name].append(
                [
                    *covered(estimand, control, truth[name]),
                    low <= 0 <= high,
                    boot[0] <= 0 <= boot[1],
                    t_p_value(change) < 0.05,
                    swap.p_value < 0.05,
                    *mcnemar(estimand, outcomes, clusters),
                    false_equivalence(sums_of(estimand, moved, clusters))
                    if name == "understands"
                    else np.nan,
                ]
            )
    return {
        name: {
            column: None if np.isnan(value) else float(value)
            for column, value in zip((*COLUMNS, *TESTS), np.mean(tally, axis=0), strict=True)
        }
        for name, tally in tallies.items()
    }


def sums_of(
    estimand: Estimand, outcomes: tuple[np.ndarray, np.ndarray], clusters: np.ndarray
) -> list[Sums]:
    """Cluster sums under both conditions."""
    y = estimand.numerator(*outcomes).reshape(2, -1)
    x = estimand.denominator(*outcomes).reshape(2, -1)
    count = int(clusters.max()) + 1
    return [cluster_sums(y[i], x[i], clusters, count) for i in (0, 1)]


def covered(estimand: Estimand, control: Sums, truth: float) -> tuple[float, float]:
    """Whether our interval of the baseline's rate holds the truth, and Wilson's."""
    if not estimand.is_rate:
        return (np.nan, np.nan)
    low, high, _ = rate_interval(estimate_ratio(control), 0.95)
    wilson = wilson_interval(int(control.y.sum()), int(control.x.sum()), 0.95)
    return (low <= truth <= high, wilson[0] <= truth <= wilson[1])


def mcnemar(
    estimand: Estimand, outcomes: tuple[np.ndarray, np.ndarray], clusters: np.ndarray
) -> tuple[float, float]:
    """Whether McNemar's test finds a change, exact and clustered."""
    if not estimand.binary:
        return (np.nan, np.nan)
    before, after = estimand.numerator(*outcomes).reshape(2, -1)
    gained, lost = (after > before).astype(float), (after < before).astype(float)
    per_task = [np.bincount(clusters, weights=v) for v in (gained, lost, np.ones_like(lost))]
    return (
        mcnemar_exact(int(gained.sum()), int(lost.sum())) < 0.05,
        mcnemar_clustered(*per_task) < 0.05,
    )


def false_equivalence(sums: list[Sums]) -> float:
    """Whether equivalence is found although the change is as large as the margin."""
    control, treated = sums
    return equivalence_p_value(estimate_difference(treated, control, "empty"), MARGIN) < 0.05


if __name__ == "__main__":
    main()
