"""Tables of a profile of blocks: measures side by side, their shape over depth, their agreement."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata, spearmanr
from statsmodels.stats.multitest import multipletests

from goodhart_gap.analysis.clustered import (
    Estimate,
    Floats,
    Sums,
    estimate_difference,
    estimate_ratio,
    t_interval,
    t_p_value,
)
from goodhart_gap.analysis.sweep_settings import ProfileFacts

Rows = list[dict[str, Any]]

MEASURES = {
    "weighted_error": ("error_energy", "Hessian-weighted error"),
    "kl": ("kl", "output KL"),
    "inversion": ("inversion_changes", "tokens that invert otherwise"),
    "margin": ("margin_changes", "change of the margin"),
}
"""Measures of a profile: column of its sums, and label."""

OUTCOMES = {
    "execution": ("executes_change", "change in execution"),
    "flips": ("excess_flips", "excess flips"),
}
"""Measures that need task outcomes of the block compressed alone."""

GIVEN = {
    "share_lost": ("error", "share of the matrices' output energy lost (calibration tokens)"),
    "divergence": ("divergence", "output KL, as budgets are decided by"),
}
"""Measures of sensitivity.csv, where the condition is a choice of a budget."""

LABELS = {name: label for name, (_, label) in (MEASURES | GIVEN | OUTCOMES).items()}


def block_table(
    profile: Rows, facts: ProfileFacts, sweep: Rows, measured: Mapping[str, Mapping[int, float]]
) -> pd.DataFrame:
    """A row a block: every measure a token, its interval over sequences, its rank from the top.

    Outcomes come from `sweep`, for the blocks of which it holds a member that compresses that block
    alone; `measured` are further measures by name and block, joined as they are. A block is
    critical when its KL is above the mean of the other blocks, paired by sequence, at a p value
    that Holm's method adjusts for the number of blocks.
    """
    blocks = sorted({row["block"] for row in profile})
    table = pd.DataFrame({"block": blocks})
    for name, (column, _) in MEASURES.items():
        estimates = [estimate_ratio(_sums(profile, [block], column)) for block in blocks]
        intervals = [t_interval(each, facts.sweep.confidence) for each in estimates]
        table[name] = [each.value for each in estimates]
        table[f"{name}_low"] = [low for low, _ in intervals]
        table[f"{name}_high"] = [high for _, high in intervals]
    for name, values in measured.items():
        table[name] = [values.get(block) for block in blocks]
    alone = _alone(facts, sweep)
    for name, (column, _) in OUTCOMES.items():
        found = [alone.get(block, {}).get(column) for block in blocks]
        if any(value is not None for value in found):
            table[name] = found
            for end in ("low", "high"):
                ends = [alone.get(block, {}).get(f"{column}_{end}") for block in blocks]
                table[f"{name}_{end}"] = ends
    for name in measures_of(table):
        ranks = rankdata(-_importance(table, name), method="average", nan_policy="omit")
        table[f"{name}_rank"] = ranks
    table["sequences"] = len({row["sequence"] for row in profile})
    table["above_p"] = _above_others(profile, blocks)
    table["critical"] = table["above_p"] < 1 - facts.sweep.confidence
    return table


def _above_others(profile: Rows, blocks: Sequence[int]) -> Floats:
    """Adjusted p values, shape [blocks], of a KL not above the mean of the other blocks."""
    found = []
    for block in blocks:
        others = [each for each in blocks if each != block]
        mine, rest = _sums(profile, [block], "kl"), _sums(profile, others, "kl")
        estimate = estimate_difference(mine, rest, "no other block")
        two_sided = t_p_value(estimate)
        found.append(two_sided / 2 if estimate.value > 0 else 1 - two_sided / 2)
    p_values = np.array(found)
    known = np.isfinite(p_values)
    if known.any():
        p_values[known] = multipletests(p_values[known], method="holm")[1]
    return p_values


def measures_of(table: pd.DataFrame) -> list[str]:
    """Names of the measures that a table of blocks has."""
    ends = ("_low", "_high", "_rank")
    other = {"block", "sequences", "above_p", "critical"}
    return [name for name in table.columns if name not in other and not name.endswith(ends)]


def agreement_table(table: pd.DataFrame, facts: ProfileFacts) -> pd.DataFrame:
    """Spearman's rank correlation of every two measures, with a bootstrap interval over blocks.

    Over the blocks that have both. Blocks are not independent of their neighbours, so the interval
    describes these blocks, and no p value is given. `same_first` is blank where a measure does not
    vary.
    """
    rows = []
    names = measures_of(table)
    for place, one in enumerate(names):
        for two in names[place + 1 :]:
            a, b = _importance(table, one), _importance(table, two)
            both = np.isfinite(a) & np.isfinite(b)
            a, b = a[both], b[both]
            draws = np.random.default_rng(facts.seed).integers(
                0, max(len(a), 1), size=(facts.resamples, len(a))
            )
            rho = _spearman(a, b)
            resampled = _rank_correlations(a[draws], b[draws])
            found = resampled[np.isfinite(resampled)]
            tail = (1 - facts.sweep.confidence) / 2
            low, high = np.quantile(found, [tail, 1 - tail]) if len(found) else (np.nan, np.nan)
            rows.append(
                {
                    "measure": one,
                    "other": two,
                    "blocks": len(a),
                    "correlation": rho,
                    "low": low,
                    "high": high,
                    "same_first": _same_first(a, b),
                }
            )
    columns = ["measure", "other", "blocks", "correlation", "low", "high", "same_first"]
    return pd.DataFrame(rows, columns=columns)


def shape_table(profile: Rows, facts: ProfileFacts) -> pd.DataFrame:
    """Mean KL of the first, middle and last third of the blocks, and the ends less the middle.

    Intervals are over sequences, paired. The shape: U when both ends are above the middle, and so
    on; `not shown` when an interval holds 0.
    """
    blocks = sorted({row["block"] for row in profile})
    thirds = dict(zip(("first", "middle", "last"), np.array_split(blocks, 3), strict=True))
    sums = {name: _sums(profile, part.tolist(), "kl") for name, part in thirds.items()}
    rows = []
    for name, part in thirds.items():
        if not len(part):
            continue
        estimate = estimate_ratio(sums[name])
        row = _row(estimate, facts)
        row |= {"third": name, "first_block": int(part[0]), "last_block": int(part[-1])}
        difference = (
            Estimate(float("nan"))
            if name == "middle" or not len(thirds["middle"])
            else estimate_difference(sums[name], sums["middle"], "no block")
        )
        row |= {f"difference{end}": value for end, value in _ends(difference, facts).items()}
        rows.append(row)
    table = pd.DataFrame(rows)
    table["shape"] = shape_of(table)
    return table


def shape_of(table: pd.DataFrame) -> str:
    """Return what the thirds say about the profile."""
    signs = {}
    for row in table.to_dict("records"):
        low, high = row["difference_low"], row["difference_high"]
        signs[row["third"]] = 1 if low > 0 else -1 if high < 0 else 0
    return {
        (1, 1): "U: both ends above the middle",
        (-1, -1): "arch: both ends below the middle",
        (1, -1): "falling with depth",
        (-1, 1): "rising with depth",
        (1, 0): "high at the start",
        (0, 1): "high at the end",
        (-1, 0): "low at the start",
        (0, -1): "low at the end",
    }.get((signs.get("first", 0), signs.get("last", 0)), "no shape shown")


def given_measures(sensitivity: Rows, condition: str) -> dict[str, dict[int, float]]:
    """{measure: {block: value}} of sensitivity.csv for one condition, the sums of its matrices."""
    mine = [row for row in sensitivity if row["condition"] == condition]
    if not mine:
        return {}
    return {
        name: {row["block"]: float(row[column]) for row in mine}
        for name, (column, _) in GIVEN.items()
    }


def _row(estimate: Estimate, facts: ProfileFacts) -> dict[str, Any]:
    return {f"kl{end}": value for end, value in _ends(estimate, facts).items()}


def _ends(estimate: Estimate, facts: ProfileFacts) -> dict[str, float]:
    low, high = t_interval(estimate, facts.sweep.confidence)
    return {"": estimate.value, "_low": low, "_high": high}


def _sums(profile: Rows, blocks: Sequence[int], column: str) -> Sums:
    """Sums a sequence over some blocks; the unit is a token of a block."""
    sequences = sorted({row["sequence"] for row in profile})
    chosen = [row for row in profile if row["block"] in set(blocks)]
    by = {each: [row for row in chosen if row["sequence"] == each] for each in sequences}
    return Sums(
        np.array([sum(float(row[column]) for row in by[each]) for each in sequences]),
        np.array([sum(float(row["tokens"]) for row in by[each]) for each in sequences]),
    )


def _alone(facts: ProfileFacts, sweep: Rows) -> dict[int, dict[str, Any]]:
    """{block: row of the sweep} of members that compress that block of the condition alone."""
    found = {}
    rows = {row["condition"]: row for row in sweep}
    for member in facts.sweep.members:
        if member.varies == "only" and member.reused == facts.condition:
            (block,) = set(range(facts.sweep.blocks)) - set(member.protected)
            found[block] = rows[member.name]
    return found


def _importance(table: pd.DataFrame, name: str) -> Floats:
    """A measure as a number that is larger for a block that matters more, NaN where missing."""
    values = table[name].to_numpy(np.float64)
    return -values if name == "execution" else values


def _spearman(a: Floats, b: Floats) -> float:
    if len(set(a)) < 2 or len(set(b)) < 2:
        return float("nan")
    return float(spearmanr(a, b).statistic)


def _rank_correlations(a: Floats, b: Floats) -> Floats:
    """Spearman's rank correlation of each row of `a` with that of `b`, NaN where nothing varies."""
    x, y = rankdata(a, axis=1), rankdata(b, axis=1)
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (x * y).sum(1) / np.sqrt((x**2).sum(1) * (y**2).sum(1))
    return found


def _same_first(a: Floats, b: Floats) -> bool | None:
    """Whether the same blocks are first by both; ties are first together."""
    if len(set(a)) < 2 or len(set(b)) < 2:
        return None
    return bool(np.array_equal(a == a.max(), b == b.max()))
