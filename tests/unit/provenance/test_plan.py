import json
import sys
from pathlib import Path

import pytest

from goodhart_gap.calibration.settings import CalibrationSettings
from goodhart_gap.cli import main
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.chain import Chain, read_chain
from goodhart_gap.provenance.graph import Graph, GraphJob, GraphOutput
from goodhart_gap.provenance.plan import make_plan, plan_text, read_plan_settings
from goodhart_gap.provenance.settings import MachineRates, ModelSizes, PlanSettings
from goodhart_gap.provenance.workload import Workload

SETTINGS = PlanSettings(
    job_start_s=2,
    model_start_s=10,
    network_bytes_per_s=1e8,
    disk_bytes_per_s=1e9,
    dollars_per_gigabyte_out=0.1,
    cpu_core=MachineRates(flops_per_s=1e10, memory_bytes_per_s=1e10, dollars_per_hour=0.1),
    gpu=MachineRates(flops_per_s=4e14, memory_bytes_per_s=2e12, dollars_per_hour=3.0),
    models={
        "big": ModelSizes(
            hidden=8192, intermediate=29568, queries=8192, keys=1024, vocabulary=152064
        )
    },
)

CONFIG = {
    "models": {"big": {"source": "hf:o/n", "blocks": 80, "blocks_per_shard": 4}},
    "conditions": {"uniform": {"compress": {"bits": 4, "rank": 64, "iterations": 2}}},
    "experiments": {"e": {"model": "big", "tasks": "original-20"}},
}


def job(number: int, rule: str, **fields) -> GraphJob:
    defaults = {
        "id": number,
        "rule": rule,
        "wildcards": {},
        "inputs": [],
        "outputs": [GraphOutput(path=f"results/{number}", temporary=False, remote=False)],
        "params": {},
        "command": None,
        "threads": 1,
        "resources": {},
        "needs": [],
        "runs": True,
        "reason": "Missing output files: x",
        "benchmark": None,
    }
    return GraphJob(**defaults | fields)


def plan_of(*jobs: GraphJob, chain: Chain | None = None):
    graph = Graph(jobs=list(jobs), config=CONFIG)
    return make_plan(graph, chain or Chain(Path("results")), SETTINGS, Path("results"))


def test_a_shard_takes_its_bytes_over_the_network_and_the_disk():
    shard = {"model": "big", "shard": "blocks000-003"}
    (planned,) = plan_of(job(1, "fetch_shard", wildcards=shard)).jobs
    weights = 4 * (2 * 8192 * 8192 + 2 * 8192 * 1024 + 3 * 8192 * 29568)
    expected = 10 + 2 * weights / 1e8 + 4 * weights / 1e9
    assert planned.seconds == pytest.approx(expected, abs=0.01)
    assert planned.basis == "model"


def test_a_gpu_is_faster_and_dearer_by_the_hour():
    wildcards = {"model": "big", "condition": "uniform", "shard": "blocks000-000"}
    slow, fast = plan_of(
        job(1, "compress_shard", wildcards=wildcards, threads=8),
        job(2, "compress_shard", wildcards=wildcards, threads=8, resources={"gpu": 1}),
    ).jobs
    assert slow.gpu_hours == 0
    assert slow.dollars == pytest.approx(8 * 0.1 * slow.seconds / 3600, rel=1e-3)
    assert slow.seconds > 50 * fast.seconds > 50 * SETTINGS.model_start_s
    assert fast.gpu_hours == pytest.approx(fast.seconds / 3600, abs=1e-5)
    assert fast.dollars == pytest.approx((3.0 + 8 * 0.1) * fast.seconds / 3600, rel=1e-3)


def test_work_grows_with_blocks_rank_and_runs():
    def seconds(rule: str, **wildcards: str) -> float:
        planned = plan_of(job(1, rule, wildcards=wildcards, resources={"gpu": 1}))
        return planned.jobs[0].seconds - SETTINGS.model_start_s

    one = seconds("accumulate_hessians", model="big", shard="blocks000-000")
    four = seconds("accumulate_hessians", model="big", shard="blocks000-003")
    assert four == pytest.approx(4 * one, rel=0.01)
    few = seconds("sample_responses", experiment="e", first="0", last="4")
    many = seconds("sample_responses", experiment="e", first="0", last="24")
    weights = 2 * (80 * 877658112 + 2 * 152064 * 8192)
    reading = weights / SETTINGS.disk_bytes_per_s
    assert many - reading == pytest.approx(4.6 * (few - reading), rel=0.1)


def test_what_is_not_said_has_the_defaults_of_the_settings():
    def work(condition: dict, rule: str, **wildcards: str):
        config = CONFIG | {"conditions": {"c": condition}}
        graph = Graph(jobs=[], config=config)
        job_ = job(1, rule, wildcards={"model": "big", "condition": "c"} | wildcards)
        return Workload(graph, SETTINGS, Path("results")).work(job_)

    whole = MatrixSettings().model_dump(mode="json")
    shard = {"shard": "blocks000-000"}
    assert work({"compress": {}}, "compress_shard", **shard) == work(
        {"compress": whole}, "compress_shard", **shard
    )
    once, twice = (
        work({"compress": {"iterations": count}}, "compress_shard", **shard).flops
        for count in (1, 2)
    )
    assert work({"compress": {}}, "compress_shard", **shard).flops == once < twice
    found = work({}, "calibration_tokens")
    default = CalibrationSettings()
    weights = 80 * 877658112 + 2 * 152064 * 8192
    assert found.flops == 2.0 * weights * default.sequences * default.sequence_length
    assert found.memory_bytes == 2.0 * weights * default.sequence_length * 3  # batches of 32


def test_bytes_to_and_from_storage_are_summed_and_paid():
    shard = {"model": "big", "shard": "blocks000-000"}
    remote = [GraphOutput(path="x", temporary=False, remote=True)]
    plan = plan_of(
        job(1, "fetch_shard", wildcards=shard, outputs=remote),
        job(2, "assemble", wildcards={"model": "big"}, inputs=["x"], stored=["x"], needs=[1]),
    )
    total = plan.sums()["total"]
    size = 2 * (2 * 8192 * 8192 + 2 * 8192 * 1024 + 3 * 8192 * 29568)
    assert total["bytes_to_storage"] == total["bytes_from_storage"] == size
    assert plan.jobs[1].dollars == pytest.approx(size / 1e9 * 0.1 + 0.1 * 2 / 3600)


def test_the_longest_chain_counts_only_what_runs_and_needs():
    plan = plan_of(
        job(1, "a", runs=False),
        job(2, "b", needs=[1]),
        job(3, "c", needs=[2]),
        job(4, "d"),
    )
    assert plan.longest_chain_seconds == 4
    assert plan.sums()["total"]["jobs"] == 3
    assert plan.jobs_in_graph == 4
    assert "3 of 4 jobs would run; at least 4 s" in plan_text(plan)


def test_recorded_runs_speak_for_their_rule(finished):
    chain = read_chain(Path("results"))
    took = chain.entries["results/responses/42.txt"].manifest.run.seconds
    done = job(
        1,
        "sample",
        outputs=[GraphOutput(path="results/responses/42.txt", temporary=False, remote=False)],
        runs=False,
    )
    (planned,) = plan_of(done, job(2, "sample"), chain=chain).jobs
    assert planned.basis == "recorded"
    assert planned.seconds == pytest.approx(took, abs=0.01)


def test_a_model_of_unknown_sizes_is_said_to_be_so():
    shard = {"model": "unheard-of", "shard": "blocks000-003"}
    (planned,) = plan_of(job(1, "fetch_shard", wildcards=shard)).jobs
    assert (planned.seconds, planned.basis) == (SETTINGS.model_start_s, "start only")


def test_an_empty_plan_says_so():
    assert "0 of 1 jobs would run" in plan_text(plan_of(job(1, "a", runs=False)))


def test_the_command_explains_by_content_and_writes_json(clone, monkeypatch, capsys):
    rates = Path("plan.yaml")
    rates.write_text(SETTINGS.model_dump_json())
    options = ["--rates", "plan.yaml", "--json", "plan.json", "--", "--config", "temperature=0.5"]
    monkeypatch.setattr(sys, "argv", ["goodhart-gap", "adopt", "results", *options[4:]])
    with pytest.raises(SystemExit):
        main()
    monkeypatch.setattr(sys, "argv", ["goodhart-gap", "plan", *options])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    assert "sample (2): --sampling: temperature 0.3 -> 0.5" in capsys.readouterr().out
    written = json.loads(Path("plan.json").read_text())
    assert written["sums"]["total"]["jobs"] == len(written["jobs"]) == 4


def test_wrong_rates_are_one_sentence(tmp_path):
    path = tmp_path / "plan.yaml"
    with pytest.raises(GoodhartError, match="no such file"):
        read_plan_settings(path)
    path.write_text(SETTINGS.model_dump_json().replace('"job_start_s":2', '"job_start_s":-2'))
    with pytest.raises(GoodhartError, match=r"plan\.yaml: job_start_s: .*greater than"):
        read_plan_settings(path)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "job_start_s",
            "job_strat_s",
            r"job_strat_s: unknown key \(did you mean 'job_start_s'\?\);",
        ),
        (
            "hidden",
            "hiden",
            r"models\.big\.hiden: unknown key \(did you mean 'hidden'\?\); correct",
        ),
        ("dollars_per_hour", "dollars", r"cpu_core\.dollars: unknown key.*allowed here: .*flops"),
        ("{", "{{", r"plan\.yaml: not valid YAML \(.* line 1, .*\); correct it\.$"),
    ],
)
def test_a_misspelt_rate_is_one_sentence(tmp_path, old, new, sentence):
    path = tmp_path / "plan.yaml"
    path.write_text(SETTINGS.model_dump_json().replace(old, new, 1))
    with pytest.raises(GoodhartError, match=sentence) as caught:
        read_plan_settings(path)
    assert "\n" not in str(caught.value)


def test_the_default_rates_are_valid():
    read_plan_settings(Path(__file__).parents[3] / "config/plan.yaml")
