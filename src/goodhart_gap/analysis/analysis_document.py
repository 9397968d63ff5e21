"""What ANALYSIS.md is rendered from: the tables, and what follows from them by rule."""

from math import prod
from pathlib import Path
from typing import Any

from goodhart_gap.analysis.documents import Rows, one, where
from goodhart_gap.analysis.graders import corrected_rates, grader_gate
from goodhart_gap.analysis.settings import ExperimentFacts, StatisticsSettings
from goodhart_gap.files import read_json

DATA_FILES = ("templates/ANALYSIS.md.jinja",)

TABLES = (
    "quadrants",
    "rates",
    "by_task",
    "by_category",
    "responses",
    "coverage",
    "seeds",
    "comparisons",
    "categories",
    "influence",
    "transitions",
    "flips",
    "power",
)
"""Tables ANALYSIS.md reads."""

DATA_FILES = ("templates/ANALYSIS.md.jinja",)
"""The template, so that the code digest covers it."""

FLIP_KINDS = {
    "within": "two of its own runs",
    "same_run": "baseline, same run",
    "other_run": "baseline, other run",
    "excess": "other run less the noise floor, points",
}
"""How documents name the kinds of flips."""


def analysis_context(
    tables: dict[str, Rows],
    facts: ExperimentFacts,
    settings: StatisticsSettings,
    *,
    parameters: int | None,
    pilot: Rows,
    graders: Rows,
) -> dict[str, Any]:
    """Return the context of ANALYSIS.md.jinja; `parameters` is the model's number of weights.

    `pilot` holds the rates of an earlier experiment, `graders` how well the graders did on
    labelled responses; both may be empty.
    """
    gate = grader_gate(graders, facts.grader) if graders else facts.grader_gate
    facts = facts.model_copy(update={"grader_gate": gate})
    rates, coverage = tables["rates"], tables["coverage"]
    tasks = coverage[0]["tasks"]
    clusters = max(row["tasks"] for row in rates)
    return {
        **tables,
        "facts": facts,
        "parameters": parameters,
        "settings": settings,
        "one": one,
        "where": where,
        "pilot": pilot,
        "graders": where(graders, grader=facts.grader),
        "corrected": corrected_rates(rates, graders, facts.grader),
        "power_designs": _designs(tables["power"]),
        "power_answers": _power_answers(tables["power"], settings),
        "one_digit": 1,
        "flip_kinds": FLIP_KINDS,
        "single_seed": len(facts.seeds) == 1,
        "tasks": tasks,
        "clusters": clusters,
        "evaluations": sum(row["found"] for row in coverage),
        "missing": [row for row in coverage if row["missing"]],
        "task_names": list(dict.fromkeys(row["task"] for row in tables["by_task"])),
        "categories_shown": list(dict.fromkeys(row["category"] for row in tables["by_category"])),
        "too_few_clusters": clusters < settings.minimum_clusters,
        "thin": [
            row
            for row in rates
            if row["rate"] in ("dbdk", "gap_rate")
            and 0 < row["denominator"] < settings.minimum_pairs
        ],
        "undefined": [row for row in rates if not row["denominator"]],
        "floor": [
            row
            for row in where(rates, condition=facts.baseline)
            if row["rate"] in ("understands", "executes") and row["estimate"] < settings.floor_rate
        ],
        "truncated": _truncated(tables["responses"], settings),
        "unread": _unread(tables["responses"], settings),
        "influence_ranges": _influence(tables, settings),
        "seed_spread": _seed_spread(tables["seeds"], facts),
    }


def count_parameters(fingerprint: Path | None) -> int | None:
    """Count the weights a base checkpoint stores, from its fingerprint file; None without one."""
    if fingerprint is None:
        return None
    shards = read_json(fingerprint)["shards"].values()
    return sum(prod(tensor["shape"]) for shard in shards for tensor in shard["tensors"].values())


def _designs(power: Rows) -> list[tuple[int, int]]:
    """The simulated designs as (tasks, runs), in order."""
    rows = where(power, kind="simulated")
    return list(dict.fromkeys((row["tasks"], row["runs"]) for row in rows))


def _power_answers(power: Rows, settings: StatisticsSettings) -> Rows:
    """For every condition, estimand and change: power a design, and the smallest that suffices."""
    grouped: dict[tuple[Any, ...], Rows] = {}
    for row in where(power, kind="simulated"):
        key = (row["condition"], row["estimand"], row["change"])
        grouped.setdefault(key, []).append(row)
    return [
        {
            "condition": condition,
            "estimand": estimand,
            "change": change,
            "rows": rows,
            "enough": smallest_design(rows, settings.power_target),
        }
        for (condition, estimand, change), rows in grouped.items()
    ]


def smallest_design(rows: Rows, target: float) -> dict[str, Any] | None:
    """Return the design with the fewest evaluations whose power reaches the target, or None."""
    enough = [row for row in rows if row["power"] is not None and row["power"] >= target]
    return min(enough, key=lambda row: (row["evaluations"], row["tasks"]), default=None)


def _truncated(responses: Rows, settings: StatisticsSettings) -> Rows:
    """Conditions and roles whose share of cut responses is over the alarm."""
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for row in responses:
        share = row["truncated_share"]
        if share is not None and share > settings.truncation_alarm:
            seen[(row["condition"], row["role"])] = row
    return list(seen.values())


def _unread(responses: Rows, settings: StatisticsSettings) -> Rows:
    """Conditions whose share of answers that could not be read is over the alarm."""
    return [
        row
        for row in where(responses, role="execution", status="unparsed")
        if row["share"] > settings.truncation_alarm
    ]


def _influence(tables: dict[str, Rows], settings: StatisticsSettings) -> Rows:
    """The range of each primary difference without one task, and what task moves it most."""
    ranges = []
    for comparison in tables["comparisons"]:
        rows = [
            row
            for row in where(
                tables["influence"],
                condition=comparison["condition"],
                estimand=comparison["estimand"],
            )
            if row["difference"] is not None
        ]
        if comparison["estimand"] not in settings.primary or comparison["difference"] is None:
            continue
        if rows:
            strongest = max(rows, key=lambda row: abs(row["shift"] or 0.0))
            ranges.append(
                {
                    "condition": comparison["condition"],
                    "label": comparison["label"],
                    "difference": comparison["difference"],
                    "low": min(row["difference"] for row in rows),
                    "high": max(row["difference"] for row in rows),
                    "task": strongest["left_out"],
                    "shift": strongest["shift"],
                }
            )
    return ranges


def _seed_spread(seeds: Rows, facts: ExperimentFacts) -> Rows:
    """Mean and standard deviation of each rate over seed families, where there are several."""
    if len(facts.seeds) < 2:
        return []
    spread = []
    for condition in facts.conditions:
        for rate in dict.fromkeys(row["rate"] for row in seeds):
            values = [
                row["estimate"]
                for row in where(seeds, condition=condition, rate=rate)
                if row["estimate"] is not None
            ]
            if len(values) < 2:
                continue
            mean = sum(values) / len(values)
            variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
            spread.append(
                {
                    "condition": condition,
                    "rate": rate,
                    "seeds": len(values),
                    "mean": mean,
                    "low": min(values),
                    "high": max(values),
                    "deviation": variance**0.5,
                }
            )
    return spread
