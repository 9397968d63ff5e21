"""What a sweep answers: the smallest protected sets, the best ones, and equal budgets compared."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from goodhart_gap.analysis.clustered import estimate_difference, t_interval
from goodhart_gap.analysis.sweep_settings import SweepFacts
from goodhart_gap.analysis.sweeps import Rows, sequence_sums


def answer_table(
    facts: SweepFacts, sweep: pd.DataFrame, divergences: Mapping[str, Rows]
) -> pd.DataFrame:
    """A row a family: the smallest protected set that is enough, and the set that helps most.

    `smallest_kept`: fewest protected blocks whose execution stays within the margin (the whole
    interval does); `smallest_recovering`: fewest that take away at least `recovery` of the KL
    (again the whole interval). Sets are asked from the largest down, and the first that is not
    enough ends it: such a fixed sequence needs no adjustment for the number of sets. `best`: the
    member with the least KL; `next`: the one after it, with the KL it has more, paired by sequence.
    """
    rows = []
    members = sweep[sweep["kind"] == "family"]
    for family in dict.fromkeys(members["family"]):
        mine = members[members["family"] == family]
        ranked = mine.sort_values("kl", kind="stable")
        best = ranked.iloc[0]
        rows.append(
            {
                "family": family,
                "varies": best["varies"],
                "reused": best["reused"],
                "members": len(mine),
                "sizes": mine["protected"].nunique(),
                "smallest_kept": smallest_enough(mine, mine["kept"] == "yes"),
                "smallest_recovering": smallest_enough(
                    mine, mine["recovered_low"].astype(float) >= facts.recovery
                ),
                "best": best["condition"],
                **{
                    f"best_{name}": best[name]
                    for name in ("protected_blocks", "kl", "kl_low", "kl_high")
                },
                **{
                    f"best_{name}": best[name]
                    for name in ("recovered", "recovered_low", "recovered_high")
                },
            }
            | _next(facts, list(ranked["condition"]), divergences)
        )
    return pd.DataFrame(rows, columns=ANSWER_COLUMNS)


ANSWER_COLUMNS = [
    *("family", "varies", "reused", "members", "sizes", "smallest_kept", "smallest_recovering"),
    *("best", "best_protected_blocks", "best_kl", "best_kl_low", "best_kl_high"),
    *("best_recovered", "best_recovered_low", "best_recovered_high"),
    *("next", "next_over", "next_over_low", "next_over_high"),
]


def smallest_enough(members: pd.DataFrame, enough: pd.Series) -> int | None:
    """Return the fewest protected blocks that are enough, where every larger set is, too.

    Of sets with equally many blocks one is enough to go on.
    """
    smallest = None
    for count, group in sorted(enough.groupby(members["protected"]), reverse=True):
        if not group.any():
            break
        smallest = int(count)
        if not group.all():
            break
    return smallest


def budget_table(
    facts: SweepFacts, sweep: pd.DataFrame, divergences: Mapping[str, Rows]
) -> pd.DataFrame:
    """Every selective condition against the uniform or mixed one of its method nearest in bits.

    The difference in KL is paired by sequence; below 0 the selective condition is nearer the base.
    Sequences by which a condition was chosen are left out. Where no condition of its method has
    about the same bits, none is compared.
    """
    rows = []
    known = sweep.set_index("condition")["bits_per_parameter"].astype(float)
    others = [m for m in facts.members if m.kind in ("compressed", "mixed")]
    for member in (each for each in facts.members if each.kind == "selective"):
        mine = float(known[member.name])
        rivals = [
            each.name
            for each in others
            if each.method == member.method
            and abs(known[each.name] - mine) <= facts.equal_bits * mine
            and each.name in divergences
        ]
        row: dict[str, Any] = {"selective": member.name, "selective_bits": mine}
        if rivals and member.name in divergences:
            rival = min(rivals, key=lambda name: abs(known[name] - mine))
            one, two = (
                unseen(divergences[name], member.chosen_by_tokens) for name in (member.name, rival)
            )
            row |= {
                "uniform": rival,
                "uniform_bits": float(known[rival]),
                "sequences": len(one),
                **_difference("difference", one, two, facts.confidence),
            }
        rows.append(row)
    columns = ["selective", "selective_bits", "uniform", "uniform_bits", "sequences", "difference"]
    return pd.DataFrame(rows, columns=[*columns, "difference_low", "difference_high"])


def unseen(rows: Rows, tokens: int) -> Rows:
    """Return the rows of the sequences after those that `measure_sensitivity` takes.

    It takes as many whole sequences as `tokens` hold, and one at least; none where that is 0.
    """
    kept, before = [], 0
    for row in sorted(rows, key=lambda each: each["sequence"]):
        # The first token of a sequence has none before it, and does not count as predicted.
        after = before + row["tokens"] + 1
        taken = tokens and (not before or after <= tokens)
        if not taken:
            kept.append(row)
        before = after
    return kept


def _next(facts: SweepFacts, ranked: list[str], divergences: Mapping[str, Rows]) -> dict[str, Any]:
    """The member after the best, and the KL that it has more."""
    if len(ranked) < 2 or not set(ranked[:2]) <= set(divergences):
        return {}
    best, following = (divergences[name] for name in ranked[:2])
    return {"next": ranked[1]} | _difference("next_over", following, best, facts.confidence)


def _difference(name: str, one: Rows, two: Rows, confidence: float) -> dict[str, float]:
    """KL of one less that of another with its interval, in nats a token."""
    estimate = estimate_difference(
        sequence_sums(one, "kl"), sequence_sums(two, "kl"), "no sequence"
    )
    low, high = t_interval(estimate, confidence)
    return {name: estimate.value, f"{name}_low": low, f"{name}_high": high}
