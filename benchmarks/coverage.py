"""Do the intervals cover, and do the tests err as often as they may?

    python benchmarks/coverage.py --simulations 1000

Experiments are drawn from a known population of tasks (the probit-normal model of
goodhart_gap.analysis.power, with understanding and execution correlated within a task), without
any true change between the two conditions, and analysed like a real one. Printed for each size:
how often the interval holds the truth, and how often each test finds a change that is not there.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy import stats

from goodhart_gap.analysis.clustered import (
    cluster_sums,
    difference_interval,
    estimate_difference,
    estimate_ratio,
    rate_interval,
    t_p_value,
)
from goodhart_gap.analysis.estimands import estimand_named
from goodhart_gap.analysis.resampling import (
    bootstrap_interval,
    mcnemar_clustered,
    mcnemar_exact,
    permutation_test,
)

WITHIN, ACROSS, BETWEEN_ROLES = 0.85, 0.7, 0.2
MEANS = {"understands": 0.7, "executes": 0.65}
SIZES = ((20, 5), (50, 5), (100, 5), (500, 1))
NAMES = ("understands", "dbdk")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    truth = population_rates(args.seed)
    rows = []
    print(f"truth: {', '.join(f'{name} {value:.4f}' for name, value in truth.items())}")
    print("coverage of 95 % intervals; false alarms at 5 % (percent)")
    header = ("tasks", "runs", "estimand", "rate", "as if ind.", "change", "bootstrap")
    tests = ("t", "permutation", "McNemar", "clustered")
    print("".join(f"{name:>12}" for name in (*header, *tests)))
    for tasks, runs in SIZES:
        start = time.perf_counter()
        found = simulate(tasks, runs, truth, args.simulations, args.seed)
        for name, row in found.items():
            shown = [f"{100 * value:.1f}" if value is not None else "-" for value in row.values()]
            print("".join(f"{cell:>12}" for cell in (tasks, runs, name, *shown)), flush=True)
            rows.append({"tasks": tasks, "runs": runs, "estimand": name} | row)
        rows[-1]["wall_s"] = round(time.perf_counter() - start, 1)
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text("".join(json.dumps(row) + "\n" for row in rows))


def draw(tasks: int, runs: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return understands and executes, 0/1, shape [2 conditions, tasks, runs]."""
    common = random.standard_normal((1, tasks))
    outcomes = []
    for mean in MEANS.values():
        role = random.standard_normal((1, tasks))
        own = random.standard_normal((2, tasks))
        effect = (
            np.sqrt(BETWEEN_ROLES) * common
            + np.sqrt(ACROSS - BETWEEN_ROLES) * role
            + np.sqrt(WITHIN - ACROSS) * own
        )
        chance = stats.norm.cdf((stats.norm.ppf(mean) + effect) / np.sqrt(1 - WITHIN))
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
        understands, executes = draw(tasks, runs, random)
        for name in NAMES:
            estimand = estimand_named(name)
            y = estimand.numerator(understands, executes).reshape(2, -1)
            x = estimand.denominator(understands, executes).reshape(2, -1)
            control, treated = (cluster_sums(y[i], x[i], clusters, tasks) for i in (0, 1))
            if not (control.x.sum() and treated.x.sum()):
                continue
            rate = estimate_ratio(control)
            low, high, _ = rate_interval(rate, 0.95)
            wilson = stats.binomtest(int(control.y.sum()), int(control.x.sum())).proportion_ci(
                0.95, "wilson"
            )
            change = estimate_difference(treated, control, "empty")
            changed = int(((treated.y != control.y) | (treated.x != control.x)).sum())
            change_low, change_high, _ = difference_interval(change, 0.95, changed_clusters=changed)
            boot = bootstrap_interval(treated, control, confidence=0.95, resamples=400, seed=number)
            swap = permutation_test(treated, control, permutations=400, seed=number)
            gained, lost = (y[1] > y[0]).astype(float), (y[1] < y[0]).astype(float)
            binary = estimand.binary
            per_task = [
                np.bincount(clusters, weights=v) for v in (gained, lost, np.ones_like(lost))
            ]
            tallies[name].append(
                [
                    low <= truth[name] <= high,
                    wilson.low <= truth[name] <= wilson.high,
                    change_low <= 0 <= change_high,
                    boot[0] <= 0 <= boot[1],
                    t_p_value(change) < 0.05,
                    swap.p_value < 0.05,
                    mcnemar_exact(int(gained.sum()), int(lost.sum())) < 0.05 if binary else np.nan,
                    mcnemar_clustered(*per_task) < 0.05 if binary else np.nan,
                ]
            )
    columns = ("rate", "independent", "change", "bootstrap", "t", "permutation", "mcnemar")
    return {
        name: {
            column: None if np.isnan(value) else float(value)
            for column, value in zip(
                (*columns, "mcnemar_clustered"), np.mean(tally, axis=0), strict=True
            )
        }
        for name, tally in tallies.items()
    }


if __name__ == "__main__":
    main()
