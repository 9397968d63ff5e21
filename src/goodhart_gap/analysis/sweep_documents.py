"""What ABLATION.md, BITS.md and SENSITIVITY.md are rendered from: tables, and what is picked."""

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from goodhart_gap.analysis import formatting
from goodhart_gap.analysis.block_profiles import LABELS, MEASURES
from goodhart_gap.analysis.documents import Rows, one, where
from goodhart_gap.analysis.estimands import ESTIMANDS
from goodhart_gap.analysis.sweep_settings import ProfileFacts, SweepFacts
from goodhart_gap.analysis.sweeps import NOT_SHOWN, OUTSIDE, UNKNOWN

DATA_FILES = (
    "templates/ABLATION.md.jinja",
    "templates/BITS.md.jinja",
    "templates/SENSITIVITY.md.jinja",
    "templates/SWEEP.md.jinja",
)
"""The templates, so that the code digest covers them."""

VARIES = {
    "first": "blocks at the start protected",
    "last": "blocks at the end protected",
    "block": "one block protected",
    "window": "a run of blocks protected",
    "only": "one block compressed, all others not",
}
"""How documents name what a family varies."""

VERDICTS: dict[str | None, str] = {
    None: "-",
    OUTSIDE: "outside the noise floor",
    NOT_SHOWN: "not shown to be outside the noise floor",
    UNKNOWN: "not measured",
}
"""How documents name the verdicts on flips."""

RATE_LABELS = {each.name: each.label for each in ESTIMANDS}


SIGNIFICANT = 3
"""Digits shown of a plain number, whatever its size; its interval has as many after the point."""

FEWEST_DIGITS, MOST_DIGITS = 2, 8
"""Digits after the point."""


def times(row: Mapping[str, Any]) -> str:
    """Perplexity of a row over the base's, with its interval."""
    value = row["perplexity_ratio"]
    digits = max(0, SIGNIFICANT + 1 - len(str(int(value or 0))))
    show = functools.partial(formatting.number, digits=digits)
    return _with_interval(row, "perplexity_ratio", show)


def kl(row: Mapping[str, Any], name: str = "kl") -> str:
    """A plain number of a row with its interval; KL in nats a token by default."""
    digits = _digits(row[name])
    return _with_interval(row, name, lambda value: formatting.number(float(value), digits=digits))


def _digits(value: float | None) -> int:
    """Digits after the point that show the significant ones."""
    if not value:
        return FEWEST_DIGITS
    size = math.ceil(math.log10(abs(value)))
    return min(max(SIGNIFICANT - size, FEWEST_DIGITS), MOST_DIGITS)


def share(row: Mapping[str, Any], name: str) -> str:
    """A share of a row in percent, with its interval."""
    return _with_interval(row, name, lambda value: formatting.percent(value))


def change(row: Mapping[str, Any], name: str) -> str:
    """Change of a rate in points, with its interval, or why there is none."""
    key = f"{name}_change"
    if row[key] is None:
        return str(row[f"{key}_note"] or "-")
    return _with_interval(row, key, lambda value: formatting.points(value))


def excess(row: Mapping[str, Any]) -> str:
    """Flips over the noise floor in points, with their interval."""
    return _with_interval(row, "excess_flips", lambda value: formatting.points(value))


def verdict(row: Mapping[str, Any]) -> str:
    """What the flips of a row say about the noise floor; why, where they say nothing."""
    if row["noise_floor"] == UNKNOWN and row["excess_flips_note"]:
        return str(row["excess_flips_note"])
    return VERDICTS[row["noise_floor"]]


def _with_interval(row: Mapping[str, Any], name: str, show: Callable[[float], str]) -> str:
    if row[name] is None:
        return "-"
    if f"{name}_low" not in row:
        return show(row[name])
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low is None or high is None:
        return f"{show(row[name])} (no interval)"
    return f"{show(row[name])} ({show(low)} to {show(high)})"


def sweep_context(
    facts: SweepFacts, tables: dict[str, Rows], published: dict[str, Rows]
) -> dict[str, Any]:
    """Return what all three documents share; `tables` by name of their option."""
    sweep = tables["sweep"]
    baseline = one(sweep, condition=facts.baseline)
    return {
        **tables,
        "facts": facts,
        "one": one,
        "where": where,
        "times": times,
        "kl": kl,
        "share": share,
        "change": change,
        "excess": excess,
        "number": formatting.number,
        "zero": 0,
        "varies": VARIES,
        "verdict": verdict,
        "labels": RATE_LABELS,
        "baseline": baseline,
        "published": _published(published, facts),
        "total": one(tables["reuse"], condition="all"),
        "at_floor": [
            {"label": RATE_LABELS[name], "rate": baseline[name]}
            for name in ("executes", "understands")
            if baseline[name] is not None and baseline[name] < facts.floor_rate
        ],
    }


def ablation_context(
    facts: SweepFacts, tables: dict[str, Rows], published: dict[str, Rows]
) -> dict[str, Any]:
    """Return the context of ABLATION.md.jinja."""
    sweep = tables["sweep"]
    tasks = list(dict.fromkeys(row["task"] for row in tables["by_task"]))
    return sweep_context(facts, tables, published) | {
        "families": list(dict.fromkeys(row["family"] for row in sweep if row["family"])),
        "same_size": [row["family"] for row in tables["answers"] if row["sizes"] < row["members"]],
        "whole": [row for row in sweep if row["kind"] == "compressed"],
        "tasks": [task for task in tasks if _moves(tables["by_task"], task)],
        "still": [task for task in tasks if not _moves(tables["by_task"], task)],
    }


def bits_context(
    facts: SweepFacts, tables: dict[str, Rows], published: dict[str, Rows]
) -> dict[str, Any]:
    """Return the context of BITS.md.jinja.

    Behaviour changes from the largest bits at which flips are outside the noise floor there and at
    all fewer bits of the method, and text is predicted worse where perplexity is above the base's.
    Asked from the fewest bits up, and ended by the first that is not: such a fixed sequence needs
    no adjustment for the number of conditions of a method.
    """
    rows = [row for row in tables["sweep"] if row["kind"] in ("compressed", "mixed")]
    return sweep_context(facts, tables, published) | {
        "changes": _starts(rows, lambda row: row["noise_floor"] == OUTSIDE),
        "worse": _starts(rows, lambda row: (row["perplexity_ratio_low"] or 0.0) > 1),
        "roughest": max(
            (row for row in rows if row["kl"] is not None),
            key=lambda row: row["kl"],
            default=None,
        ),
    }


def _starts(rows: Rows, shown: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """For each method: the condition from which something is shown, and those it is alone at.

    `next`: the condition of the next more bits, with which the start ends.
    """
    found = []
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = where(rows, method=method)
        ordered = sorted(mine, key=lambda row: float(row["bits_per_parameter"]))
        start = list(itertools.takewhile(shown, ordered))
        rest = ordered[len(start) :]
        found.append(
            {
                "method": method,
                "row": start[-1] if start else None,
                "next": rest[0] if start and rest else None,
                "alone": [row for row in rest if shown(row)],
                "count": len(mine),
            }
        )
    return found


def sensitivity_context(
    facts: ProfileFacts, tables: dict[str, Rows], published: dict[str, Rows]
) -> dict[str, Any]:
    """Return the context of SENSITIVITY.md.jinja."""
    blocks = tables["blocks"]
    measures = {name: label for name, label in LABELS.items() if name in blocks[0]}
    alone = [row["block"] for row in blocks if row.get("execution") is not None]
    return sweep_context(facts.sweep, tables, published) | {
        "profile": facts,
        "measures": measures,
        "firsts": [(label, _first(blocks, name)) for name, label in measures.items()],
        "more_conditions": len(facts.sweep.members) > len({facts.condition, facts.sweep.baseline}),
        "intervals": set(MEASURES),
        "critical": [row for row in blocks if row["critical"]],
        "by_kl": sorted(blocks, key=lambda row: row["kl_rank"]),
        "shape_word": tables["shape"][0]["shape"],
        "sampled": alone,
        "all_sampled": len(alone) == len(blocks),
        "agreement_labels": LABELS,
    }


def _first(blocks: Rows, name: str) -> list[int]:
    """The blocks that a measure puts first, all that tie; none where it does not vary."""
    ranks = {row["block"]: row[f"{name}_rank"] for row in blocks}
    known = {rank for rank in ranks.values() if rank is not None}
    if len(known) < 2:
        return []
    return [block for block, rank in ranks.items() if rank == min(known)]


def _published(tables: dict[str, Rows], facts: SweepFacts) -> dict[str, Any]:
    """The rates of a recorded experiment by condition, and the changes in execution."""
    rates = tables.get("rates", [])
    names = list(dict.fromkeys(row["condition"] for row in rates))
    comparisons = tables.get("comparisons", [])
    compared = {row["condition"] for row in comparisons}
    return {
        "rates": rates,
        "conditions": [
            {
                "name": name,
                "rates": [
                    one(rates, condition=name, rate=rate)
                    for rate in ("executes", "understands", "gap_rate")
                ],
            }
            for name in names
        ],
        "changes": where(comparisons, estimand="executes"),
        "baseline": next((name for name in names if name not in compared), ""),
    }


def _moves(by_task: Rows, task: str) -> bool:
    rows = where(by_task, task=task)
    return len({(row["executes"], row["evaluations"]) for row in rows}) > 1
