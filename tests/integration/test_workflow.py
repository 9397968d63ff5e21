"""The whole workflow for real on a tiny random model, and what a dry run then lists."""

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.cluster import GATE
from tests.integration.workshop import Workshop

pytestmark = pytest.mark.workflow

BELOW_SCORING = {
    "aggregate",
    "test_hypotheses",
    "simulate_power",
    "draw_figures",
    "write_analysis",
}
BELOW_SAMPLING = {"sample_responses", "score_responses"} | BELOW_SCORING


def test_every_product_is_there(finished: Workshop) -> None:
    results = finished.results
    runs = sorted(results.glob("outcomes/*/seed42/run?.json"))
    assert len(runs) == 3 * 2
    assert sum(len(json.loads(run.read_text())["outcomes"]) for run in runs) == 3 * 2 * 20
    assert len(list(results.glob("responses/*/seed42/runs*.jsonl"))) == 3 * 2
    assert list(results.glob("tables/*.csv"))
    assert list(results.glob("figures/*.svg"))
    assert "DBDK" in (results / "ANALYSIS.md").read_text()


def test_responses_are_kept_whole(finished: Workshop) -> None:
    file = finished.results / "responses/uniform/seed42/runs0-0.jsonl"
    responses = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(responses) == 20 * 2
    for response in responses:
        assert response["truncated"] == (response["stop_reason"] == "length")
        assert 0 < response["n_tokens"] <= 16


def test_nothing_is_left_to_do(finished: Workshop) -> None:
    assert finished.planned() == {}


def test_a_touched_script_or_config_file_reruns_nothing(finished: Workshop) -> None:
    for part in ("scripts/score_responses.py", "rules/common.smk", "config/tasks/original-20.yaml"):
        (finished.folder / part).touch()
    assert finished.planned() == {}


def test_temperature_reruns_sampling_and_below(finished: Workshop) -> None:
    finished.experiment["sampling"]["temperature"] = 0.7
    planned = finished.planned()
    assert set(planned) == BELOW_SAMPLING
    assert planned["sample_responses"] == 6


def test_rank_of_one_condition_reruns_that_condition_and_below(finished: Workshop) -> None:
    finished.config["conditions"]["uniform"]["compress"]["rank"] = 2
    jobs = finished.jobs()
    assert {rule for rule, _ in jobs} == BELOW_SAMPLING | {"allocate", "compress_shard", "assemble"}
    conditions = {wildcards["condition"] for _, wildcards in jobs if "condition" in wildcards}
    assert conditions == {"uniform"}


def test_more_runs_add_jobs_and_rerun_none(finished: Workshop) -> None:
    finished.experiment["runs"] = 25
    jobs = finished.jobs()
    new = {str(run) for run in range(2, 25)}
    for rule, wildcard in (("sample_responses", "first"), ("score_responses", "run")):
        made = [w[wildcard] for name, w in jobs if name == rule]
        assert set(made) == new
        assert len(made) == 3 * len(new)
    assert {rule for rule, _ in jobs} == BELOW_SAMPLING


def test_a_new_condition_computes_only_itself(finished: Workshop) -> None:
    finished.config["conditions"]["uniform-2bit"] = {
        "compress": {"bits": 2, "group_size": 16, "rank": 4},
        "minimum_correlation": 0.5,
    }
    finished.experiment["conditions"].append("uniform-2bit")
    conditions = {w["condition"] for _, w in finished.jobs() if "condition" in w}
    assert conditions == {"uniform-2bit"}


def test_killed_in_the_middle_of_sampling_loses_at_most_the_killed_jobs(
    finished: Workshop, tmp_path: Path
) -> None:
    # The models are there, so that whatever the kill meets is sampling or below.
    workshop = finished.copied_to(tmp_path / "workshop")
    shutil.rmtree(workshop.results)
    workshop.experiment["sampling"]["max_new_tokens"] = 60
    # One job stands still until the kill, so that the run cannot end before it.
    script = workshop.folder / "scripts/sample_responses.py"
    script.write_text(GATE.format(script="sample_responses") + script.read_text())
    (workshop.folder / "hold-sample_responses").write_text("/selective/seed42/runs1-1")
    models = finished_files(workshop.folder / "results/models")
    responses = workshop.results / "responses"
    victim = subprocess.Popen(
        workshop.command(),
        cwd=workshop.folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 900  # a loaded machine is no bug
        # Two jobs run at a time, so a third file means that one job at least is done and recorded.
        while len(finished_files(responses)) < 3:
            assert victim.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
    survivors = finished_files(responses)
    assert len(survivors) < 6

    (workshop.folder / "hold-sample_responses").unlink(missing_ok=True)
    workshop.run("--unlock")
    workshop.run()
    assert len(finished_files(responses)) == 6
    # A killed job may have put its file in place already; Snakemake rightly does not trust it.
    assert not list(responses.rglob(".journal-*"))
    made_again = [path for path, stamp in survivors.items() if path.stat().st_mtime_ns != stamp]
    assert len(made_again) <= 2
    assert {path: path.stat().st_mtime_ns for path in models} == models


def finished_files(folder: Path) -> dict[Path, int]:
    """Return the finished artifacts below `folder` with their modification times."""
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and ".prov." not in path.name
    }
