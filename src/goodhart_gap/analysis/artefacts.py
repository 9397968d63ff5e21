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
from goodhart_gap.analysis.variants import WITHOUT

ARTEFACT_COLUMNS = ["experiment", "condition", "artefact"]
ARTEFACT_COLUMNS += ["evaluations", "evaluated", "quadrant", "cases", "of"]

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


def touched(outcomes: pd.DataFrame) -> dict[str, tuple[pd.Series, str]]:
    """Which evaluations each artefact touches, and the quadrant whose cases it supplies."""
    passes = uncommitted_passes(outcomes)
    one_length = outcomes["explanation_characters"].nunique() == 1 and len(outcomes) > 1
    found = {f"{name}: passed": (passes & _is(outcomes, name), "DK") for name in UNCOMMITTED}
    return found | {
        "solved, never explained in any condition": (
            outcomes["task"].isin(never_explained_tasks(outcomes)),
            "DK",
        ),
        "failed with a value given in the task": (_failed(outcomes, "operand"), "KF"),
        "failed with an earlier result": (_failed(outcomes, "intermediate"), "KF"),
        "explanation of one fixed length": (pd.Series(one_length, index=outcomes.index), "DK"),
    }


def artefact_table(
    outcomes: Mapping[str, pd.DataFrame], designs: Mapping[str, ExperimentDesign]
) -> pd.DataFrame:
    """Evaluations each artefact touches, and how many cases of a quadrant it supplies."""
    rows: list[dict[str, Any]] = []
    for experiment, table in outcomes.items():
        kinds = touched(table)
        for condition in designs[experiment].conditions:
            mine = table["condition"] == condition
            for name, (touches, quadrant) in kinds.items():
                of_quadrant = mine & (table["quadrant"] == quadrant)
                rows.append(
                    {
                        "experiment": experiment,
                        "condition": condition,
                        "artefact": name,
                        "evaluations": int((mine & touches).sum()),
                        "evaluated": int(mine.sum()),
                        "quadrant": quadrant,
                        "cases": int((touches & of_quadrant).sum()),
                        "of": int(of_quadrant.sum()),
                    }
                )
    return pd.DataFrame(rows, columns=ARTEFACT_COLUMNS)


def headline_table(
    outcomes: Mapping[str, pd.DataFrame],
    designs: Mapping[str, ExperimentDesign],
    settings: Mapping[str, StatisticsSettings],
) -> pd.DataFrame:
    """DBDK and gap rate of every condition under each reading, with changes to the baseline.

    `outcomes`, `designs` and `settings` are by experiment.
    """
    rows: list[dict[str, Any]] = []
    for experiment, table in outcomes.items():
        for variant, changed in readings(table).items():
            for condition in designs[experiment].conditions:
                for name in ("dbdk", "gap_rate"):
                    own = settings[experiment]
                    row = _headline(changed, designs[experiment], condition, name, own)
                    rows.append({"experiment": experiment, "variant": variant} | row)
    return pd.DataFrame(rows, columns=HEADLINE_COLUMNS)


def readings(outcomes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the outcomes as each variant reads them, and without what each artefact touches."""
    kinds = {name: touches for name, (touches, _) in touched(outcomes).items() if touches.any()}
    passes = uncommitted_passes(outcomes)
    failing = outcomes.copy()
    failing.loc[passes, "executes"] = 0
    failing.loc[passes, "quadrant"] = failing.loc[passes, "quadrant"].map({"KD": "KF", "DK": "NN"})
    explained = ~outcomes["task"].isin(never_explained_tasks(outcomes))
    values = _failed(outcomes, "operand") | _failed(outcomes, "intermediate")
    found = {
        "as published": outcomes,
        "uncommitted passes fail": failing,
        "never-explained tasks left out": outcomes[explained],
        "all together": failing[explained & ~values],
    }
    return found | {f"{WITHOUT}{name}": outcomes[~touches] for name, touches in kinds.items()}


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
