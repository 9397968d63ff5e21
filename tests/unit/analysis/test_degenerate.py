"""Experiments with little in them: every document, table and figure, or one clear error.

A document never shows NaN, infinity or None; a table never holds one either (blank is none, and
comes with a note).
"""

import re

import pytest
from matplotlib.text import Text

from goodhart_gap.analysis.analysis_document import analysis_context
from goodhart_gap.analysis.artefacts import artefact_table, headline_table, never_explained_table
from goodhart_gap.analysis.audit import audit_table, total_table
from goodhart_gap.analysis.audit_document import audit_context
from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.documents import render
from goodhart_gap.analysis.figures.flips import draw_flips
from goodhart_gap.analysis.figures.flow import draw_flow
from goodhart_gap.analysis.figures.forest import draw_forest
from goodhart_gap.analysis.figures.heatmap import draw_heatmap
from goodhart_gap.analysis.figures.power import draw_power
from goodhart_gap.analysis.figures.quadrants import draw_quadrants
from goodhart_gap.analysis.figures.style import save_svg
from goodhart_gap.analysis.paper_document import compile_paper, paper_context, render_paper
from goodhart_gap.analysis.quadrant_document import quadrant_context
from goodhart_gap.analysis.settings import AuditDesigns, ExperimentDesign
from tests.unit.analysis.workshop import (
    QUICK,
    evaluation,
    facts_about,
    random_outcomes,
    table_of,
    tables_of,
)

COLLAPSE = "all or nothing between conditions"
UNDEFINED = re.compile(r"\b(?i:nan|inf|infinity|undefined)\b|\bNone\b|<NA>")
CONDITIONS = ("baseline", "uniform")


def of(rule, tasks=4, runs=2, seeds=(42,), conditions=CONDITIONS):
    """Outcomes from a rule (task, condition, run, seed) -> (understands, executes)."""
    rows = []
    for task in range(tasks):
        for condition in conditions:
            for seed in seeds:
                for run in range(runs):
                    understands, executes = rule(task, condition, run, seed)
                    rows.append(
                        evaluation(
                            f"t{task}",
                            condition,
                            understands=bool(understands),
                            executes=bool(executes),
                            run=run,
                            seed=seed,
                        )
                    )
    return table_of(rows)


CASES = {
    "nothing executed under compression": of(lambda t, c, r, s: (t < 2, c == "baseline")),
    "nothing executed at all": of(lambda t, c, r, s: (t < 2, False), tasks=12),
    "nothing understood": of(lambda t, c, r, s: (False, t < 2), tasks=12),
    "neither, ever": of(lambda t, c, r, s: (False, False), tasks=12),
    "both, always": of(lambda t, c, r, s: (True, True), tasks=12),
    COLLAPSE: of(lambda t, c, r, s: (c == "uniform",) * 2, tasks=12),
    "one task": random_outcomes(tasks=1, runs=3),
    "one run": random_outcomes(tasks=12, runs=1),
    "one evaluation": of(lambda t, c, r, s: (False, True), tasks=1, runs=1),
    "baseline only": random_outcomes(tasks=3, conditions=("baseline",)),
    "a missing run": random_outcomes(tasks=12, runs=2).drop(index=[3]).reset_index(drop=True),
    "a run missing for a whole condition": random_outcomes(tasks=4, runs=2).query(
        "condition == 'baseline' or run == 0"
    ),
    "no task in common": table_of(
        evaluation(task, condition, understands=True, executes=True)
        for task, condition in (("a", "baseline"), ("b", "uniform"))
    ),
    "seed families of one run": of(lambda t, c, r, s: (t > s, True), runs=1, seeds=(1, 2)),
    "seed families, one of which executes nothing": of(
        lambda t, c, r, s: (t > 1, s == 1 and t != r), seeds=(1, 2)
    ),
    "many tasks": random_outcomes(tasks=70, runs=1),
}


@pytest.fixture(scope="module", params=CASES)
def experiment(request, tmp_path_factory):
    """Outcomes, facts, tables (from CSV files) and the folder of those files."""
    outcomes = CASES[request.param]
    folder = tmp_path_factory.mktemp("experiment")
    facts = facts_about(outcomes, model="m")
    return outcomes, facts, tables_of(outcomes, folder, facts, QUICK), folder


def checked(text):
    """The text, when nothing in it is undefined."""
    found = UNDEFINED.search(text)
    assert not found, text[max(0, found.start() - 200) : found.end() + 50]
    return text


def audits_of(outcomes, facts, folder):
    """The tables of an audit of a figure that may have no value."""
    stated = [
        {"experiment": "e", "quantity": quantity, "condition": facts.baseline, "subject": None}
        | {"stated": "7.5", "unit": unit, "about": "summary"}
        for quantity, unit in (
            ("dbdk", "percent"),
            ("gap_rate", "percent"),
            ("dbdk_standard_error", "percent"),
            ("explanation_characters", "characters"),
            ("evaluations_needed", "count"),
            ("identical_quadrants", "count"),
        )
    ]
    design = ExperimentDesign(**facts.model_dump(include=set(ExperimentDesign.model_fields)))
    of_experiment = {"e": outcomes}
    audit = audit_table(stated, of_experiment, {"e": design}, {"e": QUICK})
    tables = {
        "audit": audit,
        "totals": total_table(audit),
        "artefacts": artefact_table(of_experiment, {"e": design}),
        "headline": headline_table(of_experiment, {"e": design}, {"e": QUICK}),
        "never_explained": never_explained_table(of_experiment),
    }
    rows = {}
    for name, table in tables.items():
        write_csv(folder / f"{name}.csv", table)
        rows[name] = read_rows(folder / f"{name}.csv", text=("stated", "recomputed"))
    return rows, AuditDesigns(experiments={"e": design})


def test_tables_hold_numbers_or_blanks(experiment):
    _, _, tables, folder = experiment
    for name in tables:
        for line in (folder / f"{name}.csv").read_text().splitlines():
            cells = line.split(",")
            assert not [cell for cell in cells if UNDEFINED.fullmatch(cell.strip("-"))], line


def test_a_blank_estimate_says_why(experiment):
    _, _, tables, _ = experiment
    for name, column in (("rates", "estimate"), ("comparisons", "difference"), ("flips", "share")):
        for row in tables[name]:
            assert row[column] is not None or row["note"].startswith("n/a"), (name, row)
    for row in tables["power"]:
        assert row["power"] is not None or row["note"].startswith("n/a"), row


@pytest.mark.parametrize("experiment", [COLLAPSE], indirect=True)
def test_a_change_of_every_task_alike_is_tested_by_permutation(experiment):
    _, facts, tables, _ = experiment
    rows = {row["estimand"]: row for row in tables["comparisons"]}
    for name in ("understands", "executes", "share_KD"):
        row = rows[name]
        assert (row["difference"], row["standard_error"], row["test"]) == (1, 0, "permutation")
        # All swaps of twelve tasks; only the labels as they are and all swapped are as extreme.
        assert row["p_value"] == row["p_permutation"] == 2 / 2**12
    assert (rows["dissociation"]["p_value"], rows["dissociation"]["test"]) == (1, "t")
    context = analysis_context(tables, facts, QUICK, parameters=None)
    assert "| < 0.001 (permutation) |" in render("ANALYSIS.md.jinja", context)


def test_the_analysis(experiment):
    _, facts, tables, _ = experiment
    context = analysis_context(tables, facts, QUICK, parameters=None)
    assert "# Analysis" in checked(render("ANALYSIS.md.jinja", context))


def test_the_quadrants(experiment):
    _, facts, tables, _ = experiment
    rows = (tables[name] for name in ("by_task", "moves", "flips"))
    text = checked(render("QUADRANTS.md.jinja", quadrant_context(*rows, facts)))
    assert text.count("\n### ") == len(facts.compared)


def test_the_audit(experiment):
    outcomes, facts, _, folder = experiment
    rows, designs = audits_of(outcomes, facts, folder)
    names = ("audit", "totals", "artefacts", "headline", "never_explained")
    context = audit_context(*(rows[name] for name in names), designs, "stated.csv")
    text = checked(render("AUDIT.md.jinja", context))
    assert "Figures stated: 6; equal: 0; different: 6." in text


def test_the_manuscript(experiment):
    outcomes, facts, tables, folder = experiment
    rows, _ = audits_of(outcomes, facts, folder)
    context = analysis_context(tables, facts, QUICK, parameters=None)
    audits = (rows[name] for name in ("audit", "totals", "headline"))
    checked(render_paper(paper_context(context, *audits)))


@pytest.mark.parametrize(
    "experiment",
    [
        "nothing executed under compression",
        "neither, ever",
        "one evaluation",
        "baseline only",
        "no task in common",
        "seed families of one run",
    ],
    indirect=True,
)
def test_figures_and_the_printed_manuscript(experiment, tmp_path):
    _, facts, tables, _ = experiment
    drawn = {
        "quadrants": draw_quadrants(tables["quadrants"]),
        "tasks": draw_heatmap(tables["by_task"], tables["by_category"]),
        "differences": draw_forest(tables["comparisons"], 0.05, 0.95),
        "flips": draw_flips(tables["flips"], facts.baseline, 0.95),
        "flow": draw_flow(tables["transitions"], facts.baseline),
        "power": draw_power(tables["power"], 0.8),
    }
    paths = []
    for name, figure in drawn.items():
        checked("\n".join(text.get_text() for text in figure.findobj(Text)))
        paths.append(tmp_path / f"{name}.svg")
        save_svg(figure, paths[-1])
        assert "nan" not in paths[-1].read_text()
    context = analysis_context(tables, facts, QUICK, parameters=None)
    compile_paper(render_paper(paper_context(context, [], [], [])), paths, tmp_path / "paper.pdf")
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")
