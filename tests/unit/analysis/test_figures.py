import pytest

from goodhart_gap.analysis.comparisons import comparison_table
from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.figures.flips import draw_flips
from goodhart_gap.analysis.figures.flow import draw_flow
from goodhart_gap.analysis.figures.forest import draw_forest
from goodhart_gap.analysis.figures.heatmap import draw_heatmap
from goodhart_gap.analysis.figures.quadrants import draw_quadrants
from goodhart_gap.analysis.figures.style import save_svg
from goodhart_gap.analysis.flips import flip_table, transition_table
from goodhart_gap.analysis.tables import count_table, quadrant_table
from tests.unit.analysis.workshop import QUICK, facts_about, random_outcomes


def rows(table, folder):
    write_csv(folder / "table.csv", table)
    return read_rows(folder / "table.csv")


def draw(name, outcomes, folder):
    facts = facts_about(outcomes)
    names = list(facts.conditions)
    if name == "quadrants":
        return draw_quadrants(rows(quadrant_table(outcomes, names), folder))
    if name == "tasks":
        tasks = rows(count_table(outcomes, names, ["category", "task"]), folder)
        return draw_heatmap(tasks, rows(count_table(outcomes, names, ["category"]), folder))
    if name == "differences":
        return draw_forest(rows(comparison_table(outcomes, facts, QUICK), folder), 0.05, 0.95)
    if name == "flips":
        return draw_flips(rows(flip_table(outcomes, facts, QUICK), folder), "baseline", 0.95)
    return draw_flow(rows(transition_table(outcomes, facts), folder), "baseline")


FIGURES = ("quadrants", "tasks", "differences", "flips", "flow")


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_tables_give_the_same_bytes(name, tmp_path):
    outcomes = random_outcomes(tasks=5, runs=2)
    for file in ("one.svg", "two.svg"):
        save_svg(draw(name, outcomes, tmp_path), tmp_path / file)
    one = (tmp_path / "one.svg").read_bytes()
    assert one == (tmp_path / "two.svg").read_bytes()
    assert b"<dc:date>" not in one
    save_svg(draw(name, random_outcomes(tasks=5, runs=2, seed=8), tmp_path), tmp_path / "other.svg")
    assert one != (tmp_path / "other.svg").read_bytes()


def test_many_tasks_are_drawn_by_category(tmp_path):
    figure = draw("tasks", random_outcomes(tasks=61, runs=1), tmp_path)
    assert len(figure.axes[0].get_yticks()) == 3
