from pathlib import Path

import pytest

from goodhart_gap.analysis.analysis_document import TABLES, analysis_context
from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.documents import render
from goodhart_gap.analysis.figures.quadrants import draw_quadrants
from goodhart_gap.analysis.figures.style import save_svg
from goodhart_gap.analysis.paper_document import compile_paper, paper_context, render_paper
from goodhart_gap.analysis.quadrant_document import quadrant_context
from tests.unit.analysis.workshop import QUICK, analyse, facts_about, random_outcomes

FIGURES = ("quadrants", "differences", "flips", "flow", "tasks", "power")


def context_of(outcomes, folder: Path, **changes):
    analyse(outcomes, folder)
    tables = {name: read_rows(folder / f"{name}.csv") for name in TABLES}
    facts = facts_about(outcomes, **changes)
    return analysis_context(tables, facts, QUICK, parameters=134515008)


def quadrants_of(outcomes, folder):
    analyse(outcomes, folder)
    names = ("by_task", "moves", "flips")
    rows = [read_rows(folder / f"{name}.csv") for name in names]
    return render("QUADRANTS.md.jinja", quadrant_context(*rows, facts_about(outcomes)))


def test_quadrants_of_a_single_run_are_named(tmp_path):
    outcomes = random_outcomes(tasks=4, runs=1)
    text = quadrants_of(outcomes, tmp_path)
    for row in outcomes.to_dict("records"):
        line = next(line for line in text.splitlines() if f"| {row['task']} |" in line)
        assert row["quadrant"] in line
    assert "One evaluation a task and condition" in text


def test_every_move_is_listed_with_its_count(tmp_path):
    outcomes = random_outcomes(tasks=3, runs=4)
    text = quadrants_of(outcomes, tmp_path)
    transitions = read_rows(tmp_path / "transitions.csv")
    moved = [row for row in transitions if row["from"] != row["to"] and row["count"]]
    assert moved
    listed = [line for line in text.splitlines() if line.startswith("- ") and " to " in line]
    assert len(listed) == len(moved)
    other = sum(row["count"] for row in moved if row["condition"] == "uniform")
    assert f"Pairs (same task, seed and run): 12; in another quadrant: {other}." in text


@pytest.mark.parametrize("runs", [1, 3])
def test_the_manuscript_compiles_and_repeats(tmp_path, runs):
    outcomes = random_outcomes(tasks=4, runs=runs)
    context = paper_context(context_of(outcomes, tmp_path), [], [], [])
    drawing = draw_quadrants(read_rows(tmp_path / "quadrants.csv"))
    figures = [tmp_path / f"{name}.svg" for name in FIGURES]
    for figure in figures:
        save_svg(drawing, figure)
    for file in ("one.pdf", "two.pdf"):
        compile_paper(render_paper(context), figures, tmp_path / file)
    one = (tmp_path / "one.pdf").read_bytes()
    assert one.startswith(b"%PDF")
    assert one == (tmp_path / "two.pdf").read_bytes()


def test_the_manuscript_escapes_names(tmp_path):
    outcomes = random_outcomes(tasks=3)
    context = context_of(outcomes, tmp_path, model="a_model*#1")
    markup = render_paper(paper_context(context, [], [], []))
    assert r"a\_model\*\#1" in markup
    assert "nan" not in markup.lower().replace("governance", "")
