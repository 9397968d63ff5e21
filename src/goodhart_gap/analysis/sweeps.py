"""Tables of a sweep: what each condition costs in bits, and what it changes, against noise.

Perplexity and KL are measured on held-out sequences, which are the independent units of their
intervals; rates and flips on tasks. A change counts as outside the noise floor when the interval of
the excess flips (flips against other baseline runs less those between baseline runs) is above 0;
that it is inside is never shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from goodhart_gap.analysis.clustered import (
    Sums,
    difference_interval,
    estimate_difference,
    estimate_ratio,
    lower_end,
    t_interval,
)
from goodhart_gap.analysis.estimands import estimand_named
from goodhart_gap.analysis.sweep_settings import SweepFacts

Rows = list[dict[str, Any]]

ESTIMANDS = ("executes", "understands", "gap_rate")
"""Whose changes the table of a sweep has."""

OUTSIDE, NOT_SHOWN, UNKNOWN = "outside", "not shown", "not measured"


def sweep_table(
    facts: SweepFacts,
    bits: Mapping[str, float],
    divergences: Mapping[str, Rows],
    comparisons: Rows,
    flips: Rows,
    rates: Rows,
) -> pd.DataFrame:
    """A row a condition: bits, perplexity, KL, rates and their changes, excess flips, verdict.

    `perplexity_ratio` is the condition's perplexity over the base's, paired by sequence. `bits` are
    measured bits a weight of the blocks' matrices; `divergences` the rows of each condition's
    divergence.csv.
    """
    rows = []
    for member in facts.members:
        row: dict[str, Any] = {
            "condition": member.name,
            "kind": member.kind,
            "family": member.family,
            "varies": member.varies,
            "reused": member.reused,
            "method": member.method,
            "nominal_bits": member.nominal_bits,
            "bits_per_parameter": bits.get(member.name, float(facts.base_bits)),
            "protected": len(member.protected),
            "protected_blocks": _spans(member.protected),
            "first_protected": min(member.protected, default=None),
        }
        row |= _text(divergences.get(member.name), _any(divergences), facts)
        row |= _recovered(divergences, member.name, member.reused, facts.confidence)
        for name in ESTIMANDS:
            row |= _outcome(name, member.name, comparisons, rates)
        row |= _flips(member.name, flips)
        row["kept"] = _kept(_first(comparisons, condition=member.name, estimand="executes"), facts)
        rows.append(row)
    return pd.DataFrame(rows)


def control_table(facts: SweepFacts, outcomes: pd.DataFrame) -> pd.DataFrame:
    """The null control: the baseline's later runs against its earlier ones, by task."""
    mine = outcomes[outcomes["condition"] == facts.baseline]
    runs = sorted(mine[["seed", "run"]].drop_duplicates().itertuples(index=False, name=None))
    half = len(runs) // 2
    keys = list(zip(mine["seed"], mine["run"], strict=True))
    early, late = ([key in part for key in keys] for part in (runs[:half], runs[half : 2 * half]))
    clusters = sorted(mine["cluster"].unique())
    rows = []
    for name in ESTIMANDS:
        estimand = estimand_named(name)
        sums = []
        for chosen in (late, early):
            part = mine[chosen]
            u = part["understands"].to_numpy(np.float64)
            e = part["executes"].to_numpy(np.float64)
            codes = np.array([clusters.index(each) for each in part["cluster"]], dtype=np.int64)
            y, x = estimand.numerator(u, e), estimand.denominator(u, e)
            count = len(clusters)
            sums.append(
                Sums(
                    np.bincount(codes, y, minlength=count).astype(np.float64),
                    np.bincount(codes, x, minlength=count).astype(np.float64),
                )
            )
        missing = estimand.undefined if half else "too few runs"
        estimate = estimate_difference(sums[0], sums[1], missing)
        changed = int(np.count_nonzero((sums[0].y != sums[1].y) | (sums[0].x != sums[1].x)))
        low, high, method = difference_interval(
            estimate, facts.confidence, changed_clusters=changed
        )
        rows.append(
            {
                "estimand": name,
                "label": estimand.label,
                "runs": half,
                "difference": estimate.value,
                "low": low,
                "high": high,
                "method": method,
                "note": estimate.note,
            }
        )
    return pd.DataFrame(rows)


def _recovered(
    divergences: Mapping[str, Rows], name: str, reused: str | None, confidence: float
) -> dict[str, Any]:
    """Share of the KL of the condition it reuses that a condition takes away, by sequence."""
    names = ("recovered", "recovered_low", "recovered_high")
    if name not in divergences or reused is None or reused not in divergences:
        return dict.fromkeys(names)
    mine, whole = sequence_sums(divergences[name], "kl"), sequence_sums(divergences[reused], "kl")
    estimate = estimate_ratio(Sums(whole.y - mine.y, whole.y))
    return dict(zip(names, (estimate.value, *t_interval(estimate, confidence)), strict=True))


def reuse_table(allocations: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Matrices compressed, reused and left as they are: a row a condition, then the total.

    A condition that others reuse counts its compressions whether or not it is sampled itself.
    """
    rows = []
    for condition, content in allocations.items():
        entries = content["modules"].values()
        kept = sum(entry["protected"] for entry in entries)
        compressed = sum("origin" not in each and not each["protected"] for each in entries)
        rows.append(
            {
                "condition": condition,
                "compressed": compressed,
                "reused": len(entries) - kept - compressed,
                "kept": kept,
            }
        )
    table = pd.DataFrame(rows, columns=["condition", "compressed", "reused", "kept"])
    total = {"condition": "all", **table[["compressed", "reused", "kept"]].sum().to_dict()}
    return pd.concat([table, pd.DataFrame([total])], ignore_index=True)


def ratio_with_interval(rows: Rows, name: str, confidence: float) -> tuple[float, float, float]:
    """Return a mean a token of a summed column, and its interval over sequences."""
    estimate = estimate_ratio(sequence_sums(rows, name))
    return (estimate.value, *t_interval(estimate, confidence))


def sequence_sums(rows: Rows, name: str) -> Sums:
    """Return a column of divergence.csv and the tokens, by held-out sequence."""
    return Sums(
        np.array([float(row[name]) for row in rows]),
        np.array([float(row["tokens"]) for row in rows]),
    )


def _any(divergences: Mapping[str, Rows]) -> Rows:
    return next(iter(divergences.values()), [])


def _text(rows: Rows | None, others: Rows, facts: SweepFacts) -> dict[str, Any]:
    """Perplexity, over the base's, too, and KL; the base's is in every other condition's table."""
    names = ("perplexity", "perplexity_low", "perplexity_high")
    ratios = ("perplexity_ratio", "perplexity_ratio_low", "perplexity_ratio_high")
    if rows is None:
        loss = ratio_with_interval(others, "base_loss", facts.confidence) if others else (None,) * 3
        values = [None if each is None else float(np.exp(each)) for each in loss]
        return dict(zip(names, values, strict=True)) | dict.fromkeys(
            (*ratios, "kl", "kl_low", "kl_high", "agreement")
        )
    loss = ratio_with_interval(rows, "loss", facts.confidence)
    extra = [row | {"extra_loss": row["loss"] - row["base_loss"]} for row in rows]
    excess = ratio_with_interval(extra, "extra_loss", facts.confidence)
    kl = ratio_with_interval(rows, "kl", facts.confidence)
    return dict(zip((*names, *ratios), map(float, np.exp((*loss, *excess))), strict=True)) | {
        "kl": kl[0],
        "kl_low": max(kl[1], 0.0) if np.isfinite(kl[1]) else None,
        "kl_high": kl[2],
        "agreement": sum(row["agreements"] for row in rows) / sum(row["tokens"] for row in rows),
    }


def _outcome(name: str, condition: str, comparisons: Rows, rates: Rows) -> dict[str, Any]:
    rate = _first(rates, condition=condition, rate=name)
    change = _first(comparisons, condition=condition, estimand=name)
    return {
        name: rate.get("estimate"),
        f"{name}_count": rate.get("numerator"),
        f"{name}_of": rate.get("denominator"),
        f"{name}_low": rate.get("low"),
        f"{name}_high": rate.get("high"),
        f"{name}_note": rate.get("note"),
        f"{name}_change": change.get("difference"),
        f"{name}_change_low": change.get("low"),
        f"{name}_change_high": change.get("high"),
        f"{name}_change_note": change.get("note"),
    }


def _flips(condition: str, flips: Rows) -> dict[str, Any]:
    excess = _first(flips, condition=condition, kind="excess")
    noise = _first(flips, condition=condition, kind="within")
    low = excess.get("low")
    verdict = UNKNOWN if low is None else OUTSIDE if low > 0 else NOT_SHOWN
    return {
        "noise": noise.get("share"),
        "noise_low": noise.get("low"),
        "noise_high": noise.get("high"),
        "excess_flips": excess.get("share"),
        "excess_flips_low": low,
        "excess_flips_high": excess.get("high"),
        "excess_flips_note": excess.get("method") if low is None else None,
        "noise_floor": verdict if excess else None,
    }


def _kept(change: Mapping[str, Any], facts: SweepFacts) -> str | None:
    """Whether execution stays within the margin, by its row of comparisons: yes, no, not shown."""
    if not change:
        return None
    low, high = change["low"], change["high"]
    if low is None or high is None:
        return "not shown"
    cautious = lower_end(
        low,
        changed_clusters=int(change["changed_tasks"]),
        clusters=int(change["tasks"]),
        confidence=facts.confidence,
    )
    if cautious >= -facts.margin:
        return "yes"
    return "no" if high < -facts.margin else "not shown"


def _first(rows: Rows, **values: Any) -> dict[str, Any]:
    found = (row for row in rows if all(row[key] == value for key, value in values.items()))
    return next(found, {})


def _spans(blocks: Sequence[int]) -> str:
    """Blocks as spans: 0-3, 7."""
    return ", ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in _runs(sorted(blocks))
    )


def _runs(blocks: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = None
    for place, block in enumerate(blocks):
        start = block if start is None else start
        if place + 1 == len(blocks) or blocks[place + 1] != block + 1:
            yield start, block
            start = None
