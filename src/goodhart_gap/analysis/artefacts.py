"""Where a recorded outcome is the grader's doing, and the headline with and without that.

Only what the record shows counts: the class of the extracted answer, the outcomes, and lengths.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from goodhart_gap.analysis.answer_classes import UNCOMMITTED
from goodhart_gap.analysis.clustered import (
    difference_interval,
    estimate_difference,
    estimate_ratio,
    rate_interval,
    t_p_value,
)
from goodhart_gap.analysis.estimands import (
    condition_sums,
    estimand_named,
    pair_conditions,
    pair_sums,
)
from goodhart_gap.analysis.settings import ExperimentDesign, StatisticsSettings
from goodhart_gap.analysis.variants import VARIANTS

ARTEFACT_COLUMNS = ["experiment", "condition", "artefact", "evaluations", "quadrant", "cases", "of"]

HEADLINE_COLUMNS = [
    "experiment",
    "variant",
    "condition",
    "estimand",
    "numerator",
    "denominator",
    "estimate",
    "low",
    "high",
    "method",
    "difference",
    "difference_low",
    "difference_high",
    "difference_method",
    "p_value",
    "note",
]


def uncommitted_passes(outcomes: pd.DataFrame) -> pd.Series:
    """Which evaluations pass execution although no answer was committed to."""
    return outcomes["answer_status"].isin(UNCOMMITTED) & (outcomes["executes"] == 1)


def never_explained_tasks(outcomes: pd.DataFrame) -> list[str]:
    """Tasks that are solved in every evaluation and explained in none, in any condition."""
    sums = outcomes.groupby("task")[["understands", "executes"]].mean()
    return sorted(sums[(sums["understands"] == 0) & (sums["executes"] == 1)].index)


def never_explained_table(outcomes: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The tasks of `never_explained_tasks`, a row an experiment and task."""
    rows = [
        {"experiment": experiment, "task": task}
        for experiment, table in outcomes.items()
        for task in never_explained_tasks(table)
    ]
    return pd.DataFrame(rows, columns=["experiment", "task"])


def artefact_table(
    outcomes: Mapping[str, pd.DataFrame], designs: Mapping[str, ExperimentDesign]
) -> pd.DataFrame:
    """Evaluations each artefact touches, and how many cases of a quadrant it supplies."""
    rows: list[dict[str, Any]] = []
    for experiment, table in outcomes.items():
        never = table["task"].isin(never_explained_tasks(table))
        one_length = table["explanation_characters"].nunique() == 1 and len(table) > 1
        for condition in designs[experiment].conditions:
            mine = table["condition"] == condition
            kinds = [
                (f"{name}: passed", mine & uncommitted_passes(table) & _is(table, name), "DK")
                for name in UNCOMMITTED
            ]
            kinds += [
                ("solved, never explained in any condition", mine & never, "DK"),
                ("failed with a value given in the task", mine & _failed(table, "operand"), "KF"),
                ("failed with an earlier result", mine & _failed(table, "intermediate"), "KF"),
                ("explanation of one fixed length", mine & one_length, "DK"),
            ]
            for name, touched, quadrant in kinds:
                of_quadrant = mine & (table["quadrant"] == quadrant)
                rows.append(
                    {
                        "experiment": experiment,
                        "condition": condition,
                        "artefact": name,
                        "evaluations": int(touched.sum()),
                        "quadrant": quadrant,
                        "cases": int((touched & of_quadrant).sum()),
                        "of": int(of_quadrant.sum()),
                    }
                )
    return pd.DataFrame(rows, columns=ARTEFACT_COLUMNS)


def headline_table(
    outcomes: Mapping[str, pd.DataFrame],
    designs: Mapping[str, ExperimentDesign],
    settings: Mapping[str, StatisticsSettings],
) -> pd.DataFrame:
    """DBDK and gap rate of every condition under each variant, with changes to the baseline.

    `outcomes`, `designs` and `settings` are by experiment.
    """
    rows: list[dict[str, Any]] = []
    for experiment, table in outcomes.items():
        for variant in VARIANTS:
            changed = apply_variant(table, variant)
            for condition in designs[experiment].conditions:
                for name in ("dbdk", "gap_rate"):
                    own = settings[experiment]
                    row = _headline(changed, designs[experiment], condition, name, own)
                    rows.append({"experiment": experiment, "variant": variant} | row)
    return pd.DataFrame(rows, columns=HEADLINE_COLUMNS)


def apply_variant(outcomes: pd.DataFrame, variant: str) -> pd.DataFrame:
    """Return the outcomes as the variant reads them."""
    passes = uncommitted_passes(outcomes)
    if variant == "uncommitted passes left out":
        return outcomes[~passes]
    changed = outcomes.copy()
    if variant in ("uncommitted passes fail", "both"):
        changed.loc[passes, "executes"] = 0
        changed.loc[passes, "quadrant"] = changed.loc[passes, "quadrant"].map(
            {"KD": "KF", "DK": "NN"}
        )
    if variant in ("never-explained tasks left out", "both"):
        changed = changed[~changed["task"].isin(never_explained_tasks(outcomes))]
    return changed


def _headline(
    table: pd.DataFrame,
    design: ExperimentDesign,
    condition: str,
    name: str,
    settings: StatisticsSettings,
) -> dict[str, Any]:
    estimand = estimand_named(name)
    mine = table[table["condition"] == condition]
    sums = condition_sums(mine, estimand)
    estimate = estimate_ratio(sums, estimand.undefined)
    low, high, method = rate_interval(estimate, settings.confidence)
    row = {
        "condition": condition,
        "estimand": name,
        "numerator": int(sums.y.sum()),
        "denominator": int(sums.x.sum()),
        "estimate": estimate.value,
        "low": low,
        "high": high,
        "method": method,
        "note": estimate.note,
    }
    if condition == design.baseline:
        return row
    pairs = pair_conditions(mine, table[table["condition"] == design.baseline])
    treated, control = pair_sums(pairs, estimand)
    difference = estimate_difference(treated, control, estimand.undefined)
    moved = int(np.count_nonzero((treated.y != control.y) | (treated.x != control.x)))
    low, high, method = difference_interval(difference, settings.confidence, changed_clusters=moved)
    return row | {
        "difference": difference.value,
        "difference_low": low,
        "difference_high": high,
        "difference_method": method,
        "p_value": t_p_value(difference),
    }


def _is(outcomes: pd.DataFrame, answer_class: str) -> pd.Series:
    return outcomes["answer_status"] == answer_class


def _failed(outcomes: pd.DataFrame, answer_class: str) -> pd.Series:
    return _is(outcomes, answer_class) & (outcomes["executes"] == 0)
