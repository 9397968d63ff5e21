"""What results cost: every job of their chain once; the overview page of a folder of results."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.analysis.workshop import evaluation, table_of

from goodhart_gap.analysis.comparisons import comparison_table
from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.settings import ExperimentDesign, StatisticsSettings
from goodhart_gap.analysis.tables import rate_table
from goodhart_gap.errors import GoodhartError
from goodhart_gap.overview import overview
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.costs import cost_of
from goodhart_gap.provenance.verify import verify


def spent(path: str) -> float:
    seconds: float = json.loads(Path(f"{path}.prov.json").read_text())["run"]["seconds"]
    return seconds


def started(path: str) -> datetime:
    return datetime.fromisoformat(
        json.loads(Path(f"{path}.prov.json").read_text())["run"]["started"]
    )


def test_every_job_of_a_chain_counts_once(finished) -> None:
    chain = read_chain(Path("results"))
    counts, responses = "results/tables/counts.csv", "results/responses/42.txt"
    # What is counted was made of responses and a trace, both of them from the tasks.
    names = ("results/tasks.txt", responses, "results/trace.txt", counts)
    whole = cost_of(chain, [counts])
    assert whole.jobs == 4
    assert whole.seconds == pytest.approx(sum(map(spent, names)))
    assert cost_of(chain, [counts, responses]) == whole
    assert cost_of(chain, [responses]).jobs == 2
    # Jobs may end after midnight.
    days = [started(name).date() for name in names]
    ends = [(started(name) + timedelta(seconds=spent(name))).date() for name in names]
    assert (whole.first, whole.last) == (min(days).isoformat(), max(ends).isoformat())
    assert whole.sampling_s == 0
    nothing = cost_of(chain, [])
    assert (nothing.jobs, nothing.first) == (0, "")


def test_the_overview_says_what_ran_and_what_came_out(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GoodhartError, match="no experiment has tables here"):
        overview(Path("results"))
    outcomes = table_of(
        evaluation(f"t{task}", condition, understands=True, executes=task < solved, run=run)
        for condition, solved in (("baseline", 20), ("worse", 5), ("same", 20))
        for task in range(40)
        for run in range(2)
    )
    design = ExperimentDesign(
        baseline="baseline", conditions=("baseline", "worse", "same"), runs=2, seeds=(42,)
    )
    tables = Path("results/tiny-n80/tables")
    quick = StatisticsSettings(bootstrap_resamples=20, permutations=19)
    write_csv(tables / "outcomes.csv", outcomes)
    write_csv(tables / "rates.csv", rate_table(outcomes, design.conditions, 0.95))
    write_csv(tables / "comparisons.csv", comparison_table(outcomes, design, quick))
    Path("results/tiny-n80/ANALYSIS.md").write_text("text\n")
    page = overview(Path("results")).read_text()
    (row,) = read_rows(Path("results/runs.csv"))
    assert (row["experiment"], row["model"], row["source"]) == ("tiny-n80", "tiny", "record")
    assert (row["conditions"], row["tasks"], row["runs"], row["evaluations"]) == (3, 40, 2, 240)
    assert "[ANALYSIS.md](tiny-n80/ANALYSIS.md)" in page
    assert "[tiny-n80](#tiny-n80)" in page
    assert "| baseline | 50.0 % | 100.0 % | 0.0 % | - |" in page
    # The change furthest from none comes first.
    assert page.index("| worse | 12.5 % |") < page.index("| same | 50.0 % |")
    assert "| -37.5 (" in page
    # A phone shows six columns; a forge scrolls more.
    assert max(line.count("|") - 1 for line in page.splitlines()) <= 6
    wrong = [str(item) for item in verify(read_chain(Path("results"))).breaks]
    assert not [item for item in wrong if "README.md" in item]
