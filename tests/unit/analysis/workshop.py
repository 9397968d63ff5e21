"""Outcomes to try the statistics on, and the whole path from outcomes to a document in memory."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from goodhart_gap.analysis.analysis_document import analysis_context
from goodhart_gap.analysis.comparisons import category_table, comparison_table, influence_table
from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.documents import Rows, render
from goodhart_gap.analysis.flips import flip_table, move_table, transition_table
from goodhart_gap.analysis.graders import corrected_table, gate_table
from goodhart_gap.analysis.outcomes import COLUMNS, check_outcomes, select_conditions
from goodhart_gap.analysis.power import power_table
from goodhart_gap.analysis.quadrants import quadrant_of
from goodhart_gap.analysis.records import outcomes_of_run, read_facts
from goodhart_gap.analysis.seeds import seed_table, seed_variance_table
from goodhart_gap.analysis.settings import Design, ExperimentFacts, StatisticsSettings
from goodhart_gap.analysis.tables import (
    count_table,
    coverage_table,
    quadrant_table,
    rate_table,
    response_table,
)
from goodhart_gap.files import write_json

ROOT = Path(__file__).parents[3]
RECORDS = ROOT / "config/records"
PUBLISHED = Path(os.environ.get("GOODHART_PUBLISHED", ROOT / "../shared/published"))

QUICK = StatisticsSettings(
    bootstrap_resamples=200,
    permutations=499,
    power_simulations=20,
    power_designs=(Design(tasks=20, runs=5), Design(tasks=100, runs=1)),
)
"""Settings that make the resampling fast; everything else is the default."""


def evaluation(
    task: str,
    condition: str,
    *,
    understands: bool,
    executes: bool,
    run: int = 0,
    seed: int = 42,
    category: str = "units",
    template: str | None = None,
) -> dict[str, Any]:
    """Return one row of outcomes.csv."""
    return dict.fromkeys(COLUMNS) | {
        "experiment": "made-up",
        "model": "tiny",
        "condition": condition,
        "seed": seed,
        "run": run,
        "task": task,
        "category": category,
        "template": template,
        "cluster": template or task,
        "executes": int(executes),
        "understands": int(understands),
        "quadrant": quadrant_of(understands, executes),
    }


def table_of(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return checked outcomes from rows of `evaluation`."""
    table = pd.DataFrame(list(rows), columns=COLUMNS)
    for column in ("execution_truncated", "explanation_truncated", "explanation_characters"):
        table[column] = table[column].astype("Float64").astype("Int64")
    return check_outcomes(table)


def random_outcomes(
    tasks: int = 12,
    runs: int = 4,
    conditions: tuple[str, ...] = ("baseline", "uniform", "selective"),
    seed: int = 7,
) -> pd.DataFrame:
    """Draw outcomes whose runs resemble each other within a task."""
    random = np.random.default_rng(seed)
    rows = []
    for task in range(tasks):
        chance = random.beta(0.7, 0.7, size=2)
        for condition in conditions:
            for run in range(runs):
                understands, executes = random.random(2) < chance
                rows.append(
                    evaluation(
                        f"task{task:02d}",
                        condition,
                        understands=bool(understands),
                        executes=bool(executes),
                        run=run,
                        category=f"category{task % 3}",
                    )
                )
    return table_of(rows)


def facts_about(outcomes: pd.DataFrame, **changes: Any) -> ExperimentFacts:
    """Return facts that fit a table of outcomes."""
    values: dict[str, Any] = {
        "experiment": "made-up",
        "model": "tiny",
        "baseline": "baseline",
        "conditions": tuple(dict.fromkeys(outcomes["condition"])),
        "runs": int(outcomes["run"].max()) + 1,
        "seeds": tuple(sorted({int(seed) for seed in outcomes["seed"]})),
        "grader": "concepts",
        "temperature": 0.3,
    }
    return ExperimentFacts(**values | changes)


def tables_of(
    outcomes: pd.DataFrame,
    folder: Path,
    facts: ExperimentFacts,
    settings: StatisticsSettings,
    graders: Rows | None = None,
) -> dict[str, Rows]:
    """Write the tables of an experiment to `folder` and read them back, as the rules do."""
    names = list(facts.conditions)
    outcomes = select_conditions(outcomes, names)
    rates = rate_table(outcomes, names, settings.confidence)
    gate = gate_table(graders or [], facts.grader)
    if not graders:
        gate["gate"] = facts.grader_gate
    facts = facts.model_copy(update={"grader_gate": gate.loc[0, "gate"]})
    tables = {
        "outcomes": outcomes,
        "quadrants": quadrant_table(outcomes, names),
        "rates": rates,
        "by_task": count_table(outcomes, names, ["category", "task"]),
        "by_category": count_table(outcomes, names, ["category"]),
        "responses": response_table(outcomes, names),
        "coverage": coverage_table(outcomes, names, facts.seeds, facts.runs),
        "seeds": seed_table(outcomes, names),
        "seed_variance": seed_variance_table(outcomes, names),
        "comparisons": comparison_table(outcomes, facts, settings),
        "categories": category_table(outcomes, facts, settings),
        "influence": influence_table(outcomes, facts, settings),
        "transitions": transition_table(outcomes, facts),
        "moves": move_table(outcomes, facts),
        "flips": flip_table(outcomes, facts, settings),
        "gate": gate,
        "corrected": corrected_table(rates.to_dict("records"), graders or [], facts.grader),
        "power": power_table(outcomes, facts, settings),
    }
    rows = {}
    for name, table in tables.items():
        write_csv(folder / f"{name}.csv", table)
        rows[name] = read_rows(folder / f"{name}.csv")
    return rows


def analyse(
    outcomes: pd.DataFrame,
    folder: Path,
    facts: ExperimentFacts | None = None,
    settings: StatisticsSettings = QUICK,
    parameters: int | None = 134515008,
    pilot: list[dict[str, Any]] | None = None,
    graders: list[dict[str, Any]] | None = None,
) -> str:
    """Go from outcomes to the text of ANALYSIS.md, through CSV files in `folder`."""
    facts = facts or facts_about(outcomes)
    rows = tables_of(outcomes, folder, facts, settings, graders)
    rows |= {"pilot": pilot or [], "graders": graders or []}
    context = analysis_context(rows, facts, settings, parameters=parameters)
    return render("ANALYSIS.md.jinja", context)


def write_record_outcomes(record: Path, folder: Path, runs: int) -> list[Path]:
    """Write the outcome files of a facts table; return their paths."""
    facts = read_facts(record)
    paths = []
    for condition in dict.fromkeys(fact["condition"] for fact in facts):
        for run in range(runs):
            path = folder / condition / f"run{run}.json"
            outcomes = outcomes_of_run(
                facts, experiment="record", model="m", condition=condition, seed=42, run=run
            )
            write_json(path, outcomes)
            paths.append(path)
    return paths
