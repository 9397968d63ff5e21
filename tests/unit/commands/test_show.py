"""`goodhart-gap show`: cells of the tables as documents show them; clear words where none are."""

from pathlib import Path

import pytest
from rich.console import Console

from goodhart_gap.commands.headline import headline, read_tables

COVERAGE = """\
condition,tasks,expected,found,missing
baseline,20,100,100,0
uniform,20,100,98,2
"""
QUADRANTS = """\
condition,quadrant,evaluations,count,share
baseline,KD,100,43,0.43
baseline,KF,100,27,0.27
baseline,DK,100,24,0.24
baseline,NN,100,6,0.06
uniform,KD,98,0,0
uniform,KF,98,0,0
uniform,DK,98,0,0
uniform,NN,98,98,1
"""
RATES = """\
condition,rate,label,estimate,low,high,method,note
baseline,dbdk,"DBDK, DK/(KD+DK)",0.3582,0.1084,0.608,t,
baseline,gap_rate,"gap rate, KF/(KD+KF)",0.3857,0.1255,0.6459,t,
baseline,understands,understands,0.7,0.5067,0.8933,t,
baseline,executes,executes,0.67,0.4547,0.8853,t,
uniform,dbdk,"DBDK, DK/(KD+DK)",,,,,n/a (no executed task)
uniform,gap_rate,"gap rate, KF/(KD+KF)",,,,,n/a (no understood task)
uniform,understands,understands,0,,,n/a (one task),
uniform,executes,executes,0,0,0.1684,exact,
"""
COMPARISONS = """\
condition,estimand,label,primary,difference,low,high,method,note,verdict,reason
uniform,dbdk,"DBDK, DK/(KD+DK)",True,,,,,n/a (no executed task),refused,n/a (no executed task)
uniform,gap_rate,"gap rate, KF/(KD+KF)",False,,,,,n/a (no understood task),refused,n/a
uniform,understands,understands,False,-0.7,-0.8933,-0.5067,t,,different,x
uniform,executes,executes,False,-0.67,-0.8853,-0.4547,t,,different,x
uniform,dissociation,"dissociation, understands less executes",True,-0.03,-0.1,0.04,t,,{verdict}
"""
REFUSED = 'refused,"20 tasks, fewer than 30"'


@pytest.fixture
def results(clone: Path) -> Path:
    """The tables of an experiment with a condition that solves nothing."""
    write_tables(clone / "results/mine")
    return clone / "results"


def write_tables(folder: Path, verdict: str = REFUSED) -> None:
    tables = {"coverage": COVERAGE, "quadrants": QUADRANTS, "rates": RATES}
    tables["comparisons"] = COMPARISONS.format(verdict=verdict)
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        (folder / "tables" / f"{name}.csv").write_text(text)


def test_quadrants_rates_changes_verdicts_and_documents(results, tool):
    (results / "mine/ANALYSIS.md").write_text("# Analysis\n")
    (results / "mine/tasks.jsonl").touch()
    result = tool("show", "mine")
    assert result.status == 0
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert lines[0] == "mine: 2 conditions, 20 tasks, 100 evaluations a condition"
    assert "uniform: 2 evaluations are missing" in lines
    assert f"baseline 43 27 24 6 {9 * '█'}{5 * '▓'}{5 * '▒'}░" in lines
    assert "baseline 67.0 % 70.0 % 35.8 % 38.6 %" in lines
    assert "45.5 to 88.5 50.7 to 89.3 10.8 to 60.8 12.6 to 64.6" in lines
    assert "uniform 0.0 % 0.0 % n/a n/a" in lines
    assert "n/a: one task; no executed task; no understood task" in lines
    assert "uniform -67.0 -70.0 n/a n/a" in lines
    assert "-88.5 to -45.5 -89.3 to -50.7" in lines
    assert (
        "uniform: no verdict on DBDK (no executed task); no verdict on dissociation "
        "(20 tasks, fewer than 30)"
    ) in " ".join(lines)
    assert lines[-1] == "read results/mine/ANALYSIS.md"
    assert "\x1b" not in result.out


def test_a_verdict_has_its_colour_on_a_terminal(clone):
    write_tables(clone / "mine", "equivalent,the change lies inside the margin")
    console = Console(force_terminal=True, color_system="standard", width=80, record=True)
    with console.capture() as captured:
        for part in headline("mine", Path("mine"), read_tables(Path("mine"))):
            console.print(part)
    assert "\x1b[1;32mequivalent\x1b[0m" in captured.get()
    assert all(len(line) <= 80 for line in console.export_text().splitlines())


def test_an_experiment_alone_has_nothing_to_compare_with(clone, tool):
    write_tables(clone / "results/mine")
    comparisons = clone / "results/mine/tables/comparisons.csv"
    comparisons.write_text(COMPARISONS.splitlines()[0] + "\n")
    out = tool("show", "mine").out
    assert "There is no condition to compare with." in out
    assert "no documents yet; make them with `snakemake" in out


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "published-n100",
            "this experiment has not been run; make it with "
            "`snakemake --cores all results/published-n100/ANALYSIS.md`.",
        ),
        (
            "qwen2-72b-n100",
            "this experiment has not been run; make it with `snakemake --cores all "
            "--configfile config/qwen2-72b-n100.yaml -- results/qwen2-72b-n100/ANALYSIS.md`.",
        ),
        (
            "publishd-n100",
            "there is no such experiment (did you mean 'published-n100'?); "
            "those with results here: mine.",
        ),
    ],
)
def test_what_has_not_run_is_told_with_the_command_that_makes_it(results, tool, name, sentence):
    assert tool("show", name).status == f"error: results/{name}: {sentence}"


def test_an_unfinished_experiment_is_told(results, tool):
    (results / "mine/tables/comparisons.csv").unlink()
    assert tool("show", "mine").status == (
        "error: results/mine/tables/comparisons.csv: this experiment is not finished; make it with "
        "`snakemake --cores all results/mine/ANALYSIS.md`."
    )
