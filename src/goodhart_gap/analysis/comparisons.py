"""Every condition against the baseline: paired differences, tests, equivalence, verdicts."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from goodhart_gap.analysis.clustered import (
    Estimate,
    Sums,
    difference_interval,
    estimate_difference,
    t_p_value,
)
from goodhart_gap.analysis.equivalence import equivalence_p_value, unchanged_is_equivalent
from goodhart_gap.analysis.estimands import (
    ESTIMANDS,
    Estimand,
    Pairs,
    pair_conditions,
    pair_rows,
    pair_sums,
    quadrant_estimands,
)
from goodhart_gap.analysis.resampling import (
    bootstrap_interval,
    mcnemar_clustered,
    mcnemar_exact,
    permutation_test,
)
from goodhart_gap.analysis.settings import ExperimentDesign, StatisticsSettings, level_for
from goodhart_gap.analysis.variance import leave_one_out, minimum_detectable_effect
from goodhart_gap.analysis.verdicts import judge


def comparison_table(
    outcomes: pd.DataFrame, design: ExperimentDesign, settings: StatisticsSettings
) -> pd.DataFrame:
    """One row a condition and estimand; blank cells come with a note that says why.

    `p_value` is that of the test in `test`: the t test, or the permutation test where every task
    changes alike and leaves the t test no error. `p_adjusted` is Holm's over the primary family
    (all conditions) for primary estimands and blank for the others.
    """
    rows = []
    for condition, pairs in _pairs(outcomes, design):
        for estimand in (*ESTIMANDS, *quadrant_estimands()):
            rows.append({"condition": condition} | _row(pairs, estimand, design, settings))
    if not rows:
        return pd.DataFrame(columns=COMPARISON_COLUMNS)
    table = pd.DataFrame(rows)
    table["p_adjusted"] = _holm(table["p_value"].to_numpy(float), table["primary"].to_numpy(bool))
    verdicts = [_judge(row, design, settings) for row in table.to_dict("records")]
    table["verdict"] = [word for word, _ in verdicts]
    table["reason"] = [reason for _, reason in verdicts]
    return table[COMPARISON_COLUMNS]


def category_table(
    outcomes: pd.DataFrame, design: ExperimentDesign, settings: StatisticsSettings
) -> pd.DataFrame:
    """Changes a category, with false-discovery adjusted p values (Benjamini and Hochberg 1995).

    The permutation p value is used, as it stays valid with the few tasks a category has.
    """
    rows = []
    for condition, _ in _pairs(outcomes, design):
        for category, group in outcomes.groupby("category", sort=True):
            pairs = pair_conditions(
                group[group["condition"] == condition],
                group[group["condition"] == design.baseline],
            )
            for name in ("understands", "executes"):
                estimand = next(each for each in ESTIMANDS if each.name == name)
                treated, control = pair_sums(pairs, estimand)
                estimate = estimate_difference(treated, control, "no pair")
                p_value = permutation_test(
                    treated, control, permutations=settings.permutations, seed=settings.seed
                ).p_value
                rows.append(
                    {
                        "condition": condition,
                        "category": category,
                        "estimand": name,
                        "pairs": pairs.count,
                        "tasks": estimate.clusters,
                        "difference": estimate.value,
                        "p_permutation": p_value,
                        "note": estimate.note if not estimate.defined else "",
                    }
                )
    columns = ["condition", "category", "estimand", "pairs", "tasks", "difference"]
    table = pd.DataFrame(rows, columns=[*columns, "p_permutation", "note"])
    table.insert(len(columns) + 1, "p_false_discovery", np.nan)
    known = table["p_permutation"].notna()
    if known.any():
        adjusted = multipletests(table.loc[known, "p_permutation"], method="fdr_bh")[1]
        table.loc[known, "p_false_discovery"] = adjusted
    return table


def influence_table(
    outcomes: pd.DataFrame, design: ExperimentDesign, settings: StatisticsSettings
) -> pd.DataFrame:
    """The difference without each task in turn, for every condition and primary estimand."""
    rows = []
    for condition, pairs in _pairs(outcomes, design):
        for estimand in (each for each in ESTIMANDS if each.name in settings.primary):
            treated, control = pair_sums(pairs, estimand)
            whole = treated.ratio - control.ratio
            for name, value in zip(pairs.names, leave_one_out(treated, control), strict=True):
                rows.append(
                    {
                        "condition": condition,
                        "estimand": estimand.name,
                        "left_out": name,
                        "difference": value,
                        "shift": value - whole,
                        "note": "" if np.isfinite(value) else f"n/a ({estimand.undefined})",
                    }
                )
    columns = ["condition", "estimand", "left_out", "difference", "shift", "note"]
    return pd.DataFrame(rows, columns=columns)


COMPARISON_COLUMNS = [
    "condition",
    "estimand",
    "label",
    "primary",
    "pairs",
    "unpaired",
    "tasks",
    "changed_tasks",
    "baseline",
    "treated",
    "difference",
    "standard_error",
    "low",
    "high",
    "method",
    "bootstrap_low",
    "bootstrap_high",
    "p_value",
    "test",
    "p_adjusted",
    "p_permutation",
    "permutations",
    "gained",
    "lost",
    "p_mcnemar",
    "p_mcnemar_clustered",
    "p_equivalence",
    "equivalent",
    "detectable",
    "note",
    "verdict",
    "reason",
]


def _pairs(outcomes: pd.DataFrame, design: ExperimentDesign) -> list[tuple[str, Pairs]]:
    baseline = outcomes[outcomes["condition"] == design.baseline]
    return [
        (name, pair_conditions(outcomes[outcomes["condition"] == name], baseline))
        for name in design.compared
    ]


def _row(
    pairs: Pairs, estimand: Estimand, design: ExperimentDesign, settings: StatisticsSettings
) -> dict[str, Any]:
    treated, control = pair_sums(pairs, estimand)
    undefined = estimand.undefined if pairs.count else "no pair of runs"
    estimate = estimate_difference(treated, control, undefined)
    changed = int(np.count_nonzero((treated.y != control.y) | (treated.x != control.x)))
    # A task's rate can go from 0 to 1, its dissociation from -1 to 1.
    limit = 1.0 if estimand.is_rate else 2.0
    low, high, method = difference_interval(
        estimate, settings.confidence, changed_clusters=changed, limit=limit
    )
    alpha = 1 - settings.confidence
    permutation = permutation_test(
        treated, control, permutations=settings.permutations, seed=settings.seed
    )
    p_value, test = t_p_value(estimate), "t"
    if estimate.standard_error == 0 and estimate.value:
        # The largest change there is must not drop out of Holm's family for want of an error.
        p_value, test = permutation.p_value, "permutation"
    bootstrap = bootstrap_interval(
        treated,
        control,
        confidence=settings.confidence,
        resamples=settings.bootstrap_resamples,
        seed=settings.seed,
    )
    p_equivalence = equivalence_p_value(estimate, settings.equivalence_margin)
    equivalent = p_equivalence < alpha or (
        estimate.defined
        and not changed
        and unchanged_is_equivalent(estimate.clusters, settings.equivalence_margin, alpha, limit)
    )
    return {
        "estimand": estimand.name,
        "label": estimand.label,
        "primary": estimand.name in settings.primary,
        "pairs": pairs.count,
        "unpaired": pairs.unpaired,
        "tasks": estimate.clusters,
        "changed_tasks": changed,
        "baseline": control.ratio,
        "treated": treated.ratio,
        "difference": estimate.value,
        "standard_error": estimate.standard_error,
        "low": low,
        "high": high,
        "method": method,
        "bootstrap_low": bootstrap[0],
        "bootstrap_high": bootstrap[1],
        "p_value": p_value,
        "test": test if np.isfinite(p_value) else "",
        "p_permutation": permutation.p_value,
        "permutations": "all" if permutation.exact else str(permutation.swaps),
        "p_equivalence": p_equivalence,
        "equivalent": equivalent,
        "detectable": minimum_detectable_effect(
            estimate, 1 - level_for(estimand.name, design, settings), settings.power_target
        ),
        "note": _note(estimate, changed),
    } | _mcnemar(pairs, estimand, treated, control)


def _note(estimate: Estimate, changed: int) -> str:
    if estimate.note:
        return estimate.note
    if not estimate.has_error:
        return "n/a (no task changed)" if not changed else "n/a (all tasks alike)"
    return ""


def _mcnemar(pairs: Pairs, estimand: Estimand, treated: Sums, control: Sums) -> dict[str, Any]:
    if not estimand.binary:
        return dict.fromkeys(("gained", "lost", "p_mcnemar", "p_mcnemar_clustered"))
    y1, x1, y0, x0 = pair_rows(pairs, estimand)
    counted = (x1 > 0) & (x0 > 0)
    count = len(pairs.names)

    def per_cluster(values: Any) -> Any:
        return np.bincount(pairs.clusters, weights=values.astype(float), minlength=count)

    gained, lost = (y1 > y0) & counted, (y1 < y0) & counted
    if not counted.any():
        return dict.fromkeys(("gained", "lost", "p_mcnemar", "p_mcnemar_clustered"))
    return {
        "gained": int(gained.sum()),
        "lost": int(lost.sum()),
        "p_mcnemar": mcnemar_exact(int(gained.sum()), int(lost.sum())),
        "p_mcnemar_clustered": mcnemar_clustered(
            per_cluster(gained), per_cluster(lost), per_cluster(counted)
        ),
    }


def _holm(p_values: Any, primary: Any) -> Any:
    adjusted = np.full(len(p_values), np.nan)
    family = primary & np.isfinite(p_values)
    if family.any():
        adjusted[family] = multipletests(p_values[family], method="holm")[1]
    return adjusted


def _judge(
    row: dict[str, Any], design: ExperimentDesign, settings: StatisticsSettings
) -> Sequence[str]:
    verdict = judge(
        primary=bool(row["primary"]),
        p_value=float(row["p_adjusted"]),
        equivalent=bool(row["equivalent"]),
        alpha=1 - settings.confidence,
        clusters=int(row["tasks"]),
        minimum_clusters=settings.minimum_clusters,
        grader_gate=design.grader_gate,
        undefined="" if math.isfinite(row["difference"]) else str(row["note"]),
    )
    return (verdict.word, verdict.reason)
