"""The checks of a run: the same from the workflow's hook and from the command."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from goodhart_gap.cli import app
from goodhart_gap.operations import checks
from goodhart_gap.operations.checks import Place, check_run
from goodhart_gap.operations.memory import Memory
from goodhart_gap.operations.preflight import Report
from goodhart_gap.provenance import graph as graphs
from goodhart_gap.provenance.graph import Graph
from tests.unit.operations.test_preflight import CONFIG, RATES, job

SAMPLING = job(
    "sample_responses", experiment="e", condition="baseline", seed="1", first="0", last="4"
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What preflight is asked, which finds nothing wrong by itself."""
    found: list[dict[str, Any]] = []

    def preflight(demands: Any, results: Path, storage: str | None, **about: Any) -> Report:
        found.append({"results": results, "storage": storage} | about)
        return Report()

    monkeypatch.setattr(checks, "preflight", preflight)
    return found


def test_jobs_on_gpus_of_this_machine_must_wait_for_each_other(asked: list[Any]) -> None:
    report = check_run([SAMPLING], CONFIG, RATES, Place(Path("results"), cores=4))
    (sentence,) = report.refusals
    assert sentence.startswith("gpu: jobs would start on the same GPUs at once")
    limited = Place(Path("results"), cores=4, limits=["gpu"])
    assert check_run([SAMPLING], CONFIG, RATES, limited).refusals == []


def test_jobs_of_other_machines_meet_those_in_the_queue(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(checks, "leftovers", lambda *about: told.append(about) or ["queue"])
    place = Place(Path("results"), cores=1, elsewhere=True, own_job="7")
    assert check_run([SAMPLING], CONFIG, RATES, place).refusals == ["queue"]
    assert told == [(Path.cwd(), "7")]
    assert asked[0]["here"] is False


def test_the_quota_and_the_prefix_are_the_configs(asked: list[Any]) -> None:
    config = CONFIG | {
        "operations": {"results_quota_bytes": 4e11},
        "storage": {"prefix": "s3://bucket/x"},
    }
    check_run([], config, RATES, Place(Path("results"), cores=4))
    assert asked[0]["quota_bytes"] == 4e11
    assert asked[0]["storage"] == "s3://bucket/x"


def test_the_command_looks_where_the_results_go(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "shared_memory", lambda demands, limits: [])
    config = CONFIG | {"pathvars": {"results": "/volume/results"}}
    made = Graph.model_construct(jobs=[SAMPLING.model_copy(update={"runs": True})], config=config)
    monkeypatch.setattr(graphs, "read_graph", lambda options: made)
    done = CliRunner().invoke(app, ["preflight"])
    assert (done.exit_code, "error: gpu:" in done.output) == (1, True), done.output
    made = made.model_copy(update={"limits": ["_cores", "gpu"]})
    done = CliRunner().invoke(app, ["preflight", "--results", "elsewhere"])
    assert done.exit_code == 0, done.output
    assert [each["results"] for each in asked] == [Path("/volume/results"), Path("elsewhere")]


def test_a_warning_is_no_refusal(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    shared = checks.shared_memory
    small = Memory(10**9, 10**9)
    monkeypatch.setattr(checks, "shared_memory", lambda *about: shared(*about, lambda: small))
    place = Place(Path("results"), cores=4, limits=["gpu"])
    report = check_run([SAMPLING], CONFIG, RATES, place)
    assert report.refusals == []
    assert report.lines[-1].startswith("warning: jobs of sample_responses may need")
