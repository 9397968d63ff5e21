"""From numbers to one word a comparison, or to the reason why there is none."""

import math
from dataclasses import dataclass

from goodhart_gap.analysis.formatting import counted


@dataclass(frozen=True)
class Verdict:
    """`different`, `equivalent`, `inconclusive`, `exploratory` or `refused`, with the reason."""

    word: str
    reason: str


def judge(
    *,
    primary: bool,
    p_value: float,
    equivalent: bool,
    alpha: float,
    clusters: int,
    minimum_clusters: int,
    grader_gate: str,
    undefined: str = "",
) -> Verdict:
    """Judge one comparison; `p_value` is the adjusted one.

    An estimand that is not primary is one of many, tested without adjustment: something among them
    often looks different where nothing is, so none is called so.
    """
    if undefined:
        return Verdict("refused", undefined)
    if clusters < minimum_clusters:
        return Verdict(
            "refused",
            f"{counted(clusters, 'task')}, fewer than {minimum_clusters}",
        )
    if grader_gate != "passed":
        failed = grader_gate == "failed"
        return Verdict(
            "refused", "the graders missed their gate" if failed else "the graders' gate is unknown"
        )
    if not primary:
        return Verdict("exploratory", "not a primary estimand; its p value is not adjusted")
    if not math.isnan(p_value) and p_value < alpha:
        return Verdict("different", "the adjusted test excludes no change")
    if equivalent:
        return Verdict("equivalent", "the change lies inside the margin")
    return Verdict("inconclusive", "neither a change nor its absence is shown")
