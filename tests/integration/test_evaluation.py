"""Sampling and judging through the real workflow: what the number of cores changes, and a judge."""

import csv
import json
from pathlib import Path

import pytest

from tests.integration.workshop import Workshop

pytestmark = pytest.mark.workflow

RESPONSES = "results/tiny-n40/responses/{}/seed42/runs{}.jsonl"


@pytest.fixture
def copied(finished: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A copy of the finished workshop, in which jobs may run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "copy/src"))
    return finished.copied_to(tmp_path / "copy")


def test_cores_and_company_change_no_byte(copied: Workshop) -> None:
    """The finished run sampled two chunks at a time on two cores, among ten other jobs."""
    chunk = copied.folder / RESPONSES.format("uniform", "1-1")
    before = chunk.read_bytes()
    chunk.unlink()
    copied.run("--cores", "1", RESPONSES.format("uniform", "1-1"))
    assert chunk.read_bytes() == before
    assert not list(chunk.parent.glob(".*"))


def test_one_chunk_of_two_runs_holds_the_responses_of_two_chunks(copied: Workshop) -> None:
    apart = [
        line
        for run in ("0-0", "1-1")
        for line in (copied.folder / RESPONSES.format("baseline", run)).read_bytes().splitlines()
    ]
    copied.experiment["runs_per_job"] = 2
    copied.run("--cores", "1", RESPONSES.format("baseline", "0-1"))
    together = (copied.folder / RESPONSES.format("baseline", "0-1")).read_bytes().splitlines()
    assert together == apart


def test_without_good_graders_there_is_no_verdict(finished: Workshop) -> None:
    """The graders miss their gate on the gold set (docs/GRADERS.md), and the analysis says so."""
    with (finished.results / "tables/comparisons.csv").open() as handle:
        verdicts = {row["verdict"] for row in csv.DictReader(handle)}
    assert verdicts == {"refused"}
    analysis = (finished.results / "ANALYSIS.md").read_text()
    assert "The graders missed the accuracy required of them" in analysis
    assert "Rates beside those corrected for the grader's errors on the gold set" in analysis


def test_a_judge_resamples_nothing_and_its_verdicts_are_kept(copied: Workshop) -> None:
    copied.experiment["grading"] = {
        "explanation": "judge",
        "judge": {
            "model": "tiny",
            "prompt": "{problem} {steps} {explanation} Verdict?",
            "sampling": {"max_new_tokens": 4},
        },
    }
    shorten_gold(copied.folder / "config/gold")
    planned = copied.planned()
    assert "sample_responses" not in planned
    assert {rule: planned[rule] for rule in ("judge_responses", "judge_gold")} == {
        "judge_responses": 6,
        "judge_gold": 1,
    }
    copied.run(
        "--cores",
        "2",
        "results/tiny-n40/outcomes/uniform/seed42/run0.json",
        "results/tiny-n40/tables/graders.csv",
    )
    verdicts = copied.results / "verdicts/uniform/seed42/runs0-0.jsonl"
    rows = [json.loads(line) for line in verdicts.read_text().splitlines()]
    outcomes = json.loads((copied.results / "outcomes/uniform/seed42/run0.json").read_text())
    assert outcomes["grader"] == "judge"
    statuses = [outcome["explanation"]["status"] for outcome in outcomes["outcomes"]]
    assert len(statuses) == 20
    # A random model states no verdict, and that is a status of its own.
    assert statuses.count("unjudged") == len(rows) > 0
    assert set(statuses) <= {"unjudged", "empty"}
    for row in rows:
        assert row["judge"] == "tiny"
        assert 0 < row["n_tokens"] <= 4
        assert row["truncated"] == (row["stop_reason"] == "length")
    with (copied.results / "tables/graders.csv").open() as handle:
        table = [row for row in csv.DictReader(handle) if row["grader"] == "judge"]
    assert {(row["set"], row["role"]) for row in table} == {
        ("suite", "execution"),
        ("agreed", "execution"),
        ("agreed", "explanation"),
        ("gold", "execution"),
        ("gold", "explanation"),
    }
    gold = copied.results / "verdicts/gold.jsonl"
    assert len(gold.read_text().splitlines()) == 20


def shorten_gold(folder: Path) -> None:
    """Keep 20 short explanations and all executions: the tiny tokenizer spells most words out."""
    for path in folder.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        executions = [row for row in rows if row["role"] == "execution"]
        explanations = [row for row in rows if row["role"] == "explanation"]
        short = sorted(explanations, key=lambda row: len(row["text"]))[:10]
        lines = [json.dumps(row) + "\n" for row in (*executions, *short)]
        path.write_text("".join(lines))
