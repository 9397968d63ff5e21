"""What ANALYSIS.md and the manuscript are rendered from: tables, and what follows by rule.

Every number that is printed is a cell of a table, a setting or a fact about the experiment; rules
here only choose which cells are printed.
"""

import argparse
from math import prod
from pathlib import Path
from typing import Any

from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.documents import Rows, one, where
from goodhart_gap.analysis.settings import ExperimentFacts, StatisticsSettings
from goodhart_gap.files import read_json
from goodhart_gap.script import Script

DATA_FILES = ("templates/ANALYSIS.md.jinja",)
"""The template, so that the code digest covers it."""

TABLES = (
    "quadrants",
    "rates",
    "by_task",
    "by_category",
    "responses",
    "coverage",
    "seed_variance",
    "comparisons",
    "categories",
    "influence",
    "transitions",
    "flips",
    "gate",
    "corrected",
    "power",
)
"""Tables the documents read."""

OPTIONAL_TABLES = ("pilot", "graders")
"""Tables that not every experiment has: rates of an earlier one, accuracy of the graders."""

FLIP_KINDS = {
    "within": "two of its own runs",
    "same_run": "baseline, same run",
    "other_run": "baseline, other run",
    "excess": "other run less the noise floor, points",
}
"""How documents name the kinds of flips."""


def declare_inputs(script: Script) -> None:
    """Declare what a document about an experiment is written from."""
    for table in TABLES:
        script.input(f"--{table.replace('_', '-')}")
    for table in OPTIONAL_TABLES:
        script.input(f"--{table}", optional=True)
    script.input("--figures", many=True)
    script.input("--fingerprint", optional=True)
    script.settings("--facts", ExperimentFacts)
    script.settings("--statistics", StatisticsSettings)


def read_context(args: argparse.Namespace) -> dict[str, Any]:
    """Return the context of the templates from the arguments of `declare_inputs`."""
    named = {name: getattr(args, name) for name in (*TABLES, *OPTIONAL_TABLES)}
    tables = {name: read_rows(path) if path else [] for name, path in named.items()}
    return analysis_context(
        tables, args.facts, args.statistics, parameters=count_parameters(args.fingerprint)
    )


def analysis_context(
    tables: dict[str, Rows],
    facts: ExperimentFacts,
    settings: StatisticsSettings,
    *,
    parameters: int | None,
) -> dict[str, Any]:
    """Return the context of the templates; `parameters` is the model's number of weights."""
    facts = facts.model_copy(update={"grader_gate": tables["gate"][0]["gate"]})
    rates, coverage, power = tables["rates"], tables["coverage"], tables["power"]
    clusters = max(row["tasks"] for row in rates)
    return {
        **{name: tables[name] for name in TABLES},
        "facts": facts,
        "parameters": parameters,
        "settings": settings,
        "one": one,
        "where": where,
        "pilot": tables.get("pilot", []),
        "graders": where(tables.get("graders", []), grader=facts.grader),
        "power_designs": _designs(power),
        "power_answers": _power_answers(power, settings),
        "power_missing": [row for row in power if row["kind"] is None],
        "power_notes": list(
            dict.fromkeys(row["note"] for row in power if row["kind"] and row["note"])
        ),
        "settled": settled_designs(power, settings),
        "one_digit": 1,
        "flip_kinds": FLIP_KINDS,
        "single_seed": len(facts.seeds) == 1,
        "tasks": coverage[0]["tasks"],
        "clusters": clusters,
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
            "label": rows[0]["label"],
            "change": change,
            "rows": rows,
            "enough": smallest_design(rows, settings.power_target),
        }
        for (condition, estimand, change), rows in grouped.items()
    ]


def settled_designs(power: Rows, settings: StatisticsSettings) -> dict[str, Any] | None:
    """Which designs of one size find a change under every condition, by estimand and change.

    The size is the number of evaluations that most of the simulated designs share; None where no
    two share one. A design stands for the condition under which its power is lowest.
    """
    rows = [row for row in where(power, kind="simulated") if row["change"]]
    designs: dict[int, set[tuple[int, int]]] = {}
    for row in rows:
        designs.setdefault(row["evaluations"], set()).add((row["tasks"], row["runs"]))
    size = max(designs, key=lambda evaluations: len(designs[evaluations]), default=None)
    if size is None or len(designs[size]) < 2:
        return None
    lowest: dict[tuple[str, float], dict[tuple[int, int], dict[str, Any]]] = {}
    for row in sorted(where(rows, evaluations=size), key=lambda row: row["power"]):
        of_change = lowest.setdefault((row["label"], row["change"]), {})
        of_change.setdefault((row["tasks"], row["runs"]), row)
    answers = []
    for label, change in dict.fromkeys((row["label"], row["change"]) for row in rows):
        found = lowest[label, change]
        ordered = [found[design] for design in sorted(found)]
        enough = [row for row in ordered if row["power"] >= settings.power_target]
        answers.append({"label": label, "change": change, "rows": ordered, "enough": enough})
    return {"evaluations": size, "answers": answers}


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
