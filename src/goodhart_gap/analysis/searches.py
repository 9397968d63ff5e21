"""The smallest protected set that keeps execution, by bisection over a family of conditions.

The rule, for entries k_1 < ... < k_n (how many blocks are protected):

1. A set is enough when the whole interval of the paired, task-clustered difference in execution
   against the baseline is at or above minus the margin; where few tasks changed, it reaches down
   at least as far as if none had.
2. k_n is asked first; if it is not enough, no entry is.
3. Then the entry halfway between the largest that is known not to be enough (nothing protected, at
   first) and the smallest known to be enough, until they are neighbours.

That takes enough to grow with k for granted; the table shows every answer, so a break is seen only
where it was asked.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from goodhart_gap.analysis.clustered import difference_interval, estimate_difference, lower_end
from goodhart_gap.analysis.estimands import estimand_named, pair_conditions, pair_sums
from goodhart_gap.settings import Settings


class SearchEntry(Settings):
    """One protected set."""

    condition: str
    """The condition's key in the config."""

    protected: int = Field(ge=0)
    """How many blocks it protects."""


class SearchFacts(Settings):
    """What a search needs to know."""

    experiment: str
    """The experiment's key in the config."""

    family: str
    """The family searched."""

    baseline: str
    """The condition execution is compared with."""

    entries: tuple[SearchEntry, ...] = Field(min_length=1)
    """The members of the family."""

    margin: float = Field(gt=0, lt=1)
    """Execution within this share of the baseline's counts as kept."""

    confidence: float = Field(gt=0, lt=1)
    """Coverage of the intervals."""


COLUMNS = [
    "step",
    "family",
    "condition",
    "protected",
    "pairs",
    "tasks",
    "difference",
    "low",
    "high",
    "method",
    "enough",
    "largest_not_enough",
    "smallest_enough",
]


def walk(facts: SearchFacts, outcomes: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, str]:
    """Go as far as `outcomes` {condition: table} let the search go.

    Returns the steps, and the condition that is asked for next, empty when the search is over: its
    answer is then `smallest_enough` of the last step, blank when no entry is enough.
    """
    entries = sorted(facts.entries, key=lambda entry: entry.protected)
    lowest, enough = -1, len(entries)
    place = len(entries) - 1
    steps: list[dict[str, Any]] = []
    while True:
        entry = entries[place]
        if entry.condition not in outcomes or facts.baseline not in outcomes:
            return pd.DataFrame(steps, columns=COLUMNS), entry.condition
        found = verdict(facts, outcomes[entry.condition], outcomes[facts.baseline])
        if found["enough"]:
            enough = place
        else:
            lowest = place
        steps.append(
            {
                "step": len(steps) + 1,
                "family": facts.family,
                **entry.model_dump(),
                **found,
                "largest_not_enough": entries[lowest].protected if lowest >= 0 else 0,
                "smallest_enough": entries[enough].protected if enough < len(entries) else None,
            }
        )
        if enough == len(entries) or enough - lowest == 1:
            return pd.DataFrame(steps, columns=COLUMNS), ""
        place = (lowest + enough) // 2


def verdict(facts: SearchFacts, treated: pd.DataFrame, baseline: pd.DataFrame) -> dict[str, Any]:
    """The difference in execution with its interval, and whether the set is enough."""
    estimand = estimand_named("executes")
    pairs = pair_conditions(treated, baseline)
    one, two = pair_sums(pairs, estimand)
    estimate = estimate_difference(one, two, estimand.undefined)
    changed = int(np.count_nonzero((one.y != two.y) | (one.x != two.x)))
    low, high, method = difference_interval(estimate, facts.confidence, changed_clusters=changed)
    low = lower_end(
        low,
        changed_clusters=changed,
        clusters=estimate.clusters,
        confidence=facts.confidence,
    )
    return {
        "pairs": pairs.count,
        "tasks": estimate.clusters,
        "difference": estimate.value,
        "low": low,
        "high": high,
        "method": method,
        "enough": bool(np.isfinite(low) and low >= -facts.margin),
    }


def entries_of(members: Sequence[tuple[str, int]]) -> tuple[SearchEntry, ...]:
    """Return the entries of (condition, protected blocks)."""
    return tuple(SearchEntry(condition=name, protected=count) for name, count in members)
