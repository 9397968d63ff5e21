"""The workflow on a real Slurm cluster of two nodes, and what happens to clusters.

One run that meets every fault in turn: a controller that restarts, a node that is drained, a job
that Slurm ends for its time, and the end of Snakemake itself while jobs run.
"""

import json
from collections.abc import Iterator

import pytest

from tests.integration.cluster import ClusterRun, products
from tests.integration.workshop import Workshop
from tests.servers.slurm import Slurm, why_not
from tests.tiny_models import write_tiny_checkpoint

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with Slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def run(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> ClusterRun:
    folder = tmp_path_factory.mktemp("cluster")
    workshop = Workshop(folder / "workshop", write_tiny_checkpoint(folder / "model", blocks=4))
    workshop.config["models"]["tiny"] |= {
        "blocks_per_shard": 4,
        "gpus": True,
        "sizes": {
            "hidden": 32,
            "intermediate": 64,
            "queries": 32,
            "keys": 16,
            "vocabulary": 400,
            "tied": True,
        },
    }
    workshop.experiment.update(conditions=["baseline", "uniform"], runs=1)
    run = ClusterRun(workshop, slurm, {})
    run.gate("fetch_shard", "accumulate_hessians", "compress_shard", "sample_responses")
    return run


@pytest.fixture(scope="module")
def disturbed(run: ClusterRun, slurm: Slurm) -> dict[str, dict[str, str]]:
    """Run the workflow through every fault; returns facts about jobs for the tests to look at."""
    facts: dict[str, dict[str, str]] = {}
    for script in ("fetch_shard", "accumulate_hessians", "compress_shard"):
        run.hold(script)
    run.start()

    run.wait_until_held("fetch_shard")
    slurm.kill_controller()
    slurm.start_controller()
    run.release("fetch_shard")

    run.wait_until_held("accumulate_hessians")
    facts["hessians"] = slurm.job(run.job_of("accumulate_hessians"))
    drained = facts["hessians"]["NodeList"]
    slurm.drain(drained)
    run.release("accumulate_hessians")

    run.wait_until_held("compress_shard")
    facts["compress"] = slurm.job(run.job_of("compress_shard"))
    # Until then it is draining: the baseline's sampling may still run there.
    slurm.wait_until(lambda: slurm.states()[drained] == "drain", "a drained node")
    slurm.resume(drained)
    slurm.command("scontrol", "update", f"jobid={facts['compress']['JobId']}", "timelimit=00:00:01")

    # The one whose model is the last to be finished, so that the end of Snakemake meets no model.
    run.hold("sample_responses", "/uniform/")
    run.wait_until(
        lambda: slurm.job(facts["compress"]["JobId"])["JobState"] == "TIMEOUT", "a timeout"
    )
    run.release("compress_shard")
    run.wait_until_held("sample_responses")
    facts["sample"] = slurm.job(run.job_of("sample_responses"))
    run.kill()
    before = products(run.workshop.folder / "results")
    facts["killed"] = {name: str(stamp) for name, stamp in before.items()}
    run.release("sample_responses")
    slurm.wait_until(lambda: not slurm.jobs("running,pending,completing"), "an empty queue", 900)
    run.unlock()
    run.start()
    run.finish()
    return facts


def test_the_run_survives_everything(disturbed: dict[str, dict[str, str]], run: ClusterRun) -> None:
    results = run.workshop.results
    for condition in ("baseline", "uniform"):
        outcomes = json.loads((results / f"outcomes/{condition}/seed42/run0.json").read_text())
        assert len(outcomes["outcomes"]) == 20
    assert "DBDK" in (results / "ANALYSIS.md").read_text()
    assert run.workshop.planned() == {}


def test_what_was_finished_is_not_made_again(
    disturbed: dict[str, dict[str, str]], run: ClusterRun
) -> None:
    after = products(run.workshop.folder / "results")
    finished = {name: int(stamp) for name, stamp in disturbed["killed"].items()}
    models = {name for name in finished if name.startswith("models/")}
    assert len(models) > 10
    assert {name: after[name] for name in models} == {name: finished[name] for name in models}


def test_jobs_ask_for_what_the_model_needs(disturbed: dict[str, dict[str, str]]) -> None:
    assert disturbed["hessians"]["Partition"] == "gpu"
    assert disturbed["hessians"]["TresPerJob"] == "gres:gpu:1"
    assert disturbed["sample"]["TresPerJob"] == "gres:gpu:1"
    assert disturbed["sample"]["NumTasks"] == "1"
    assert disturbed["compress"]["Partition"] == "cpu"
    assert "TresPerJob" not in disturbed["compress"]
    assert disturbed["compress"]["NumCPUs"] == "16"
    assert disturbed["compress"]["MinMemoryNode"] == "4000M"


def test_a_job_ended_for_its_time_asks_for_more(
    disturbed: dict[str, dict[str, str]], slurm: Slurm
) -> None:
    jobs = [slurm.job(number) for number in sorted(slurm.jobs("all"), key=int)]
    first, second = [job for job in jobs if job["Comment"].startswith("rule_compress_shard")]
    assert (first["JobState"], second["JobState"]) == ("TIMEOUT", "COMPLETED")
    assert first["MinMemoryNode"] == "4000M"
    assert second["MinMemoryNode"] == "8000M"
    assert second["TimeLimit"] == "08:00:00"
    assert {job["JobState"] for job in jobs} == {"TIMEOUT", "COMPLETED"}


def test_a_drained_node_gets_no_more_jobs(
    disturbed: dict[str, dict[str, str]], slurm: Slurm
) -> None:
    drained = disturbed["hessians"]["NodeList"]
    assert disturbed["compress"]["NodeList"] != drained
    assert slurm.job(disturbed["hessians"]["JobId"])["JobState"] == "COMPLETED"
