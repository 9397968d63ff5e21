"""Refusals of the preflight, with the numbers, on machines of every kind."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from goodhart_gap.operations import machine
from goodhart_gap.operations import preflight as module
from goodhart_gap.operations.demands import Demands, GpuDemand, demands_of
from goodhart_gap.operations.machine import Disk, Gpu, disk_of, gpus
from goodhart_gap.operations.preflight import preflight, shared_gpus
from goodhart_gap.provenance.graph import GraphJob, GraphOutput
from goodhart_gap.provenance.settings import MachineRates, PlanSettings

RATES = PlanSettings(
    cpu_core=MachineRates(flops_per_s=1e10, memory_bytes_per_s=1e10, dollars_per_hour=0.1),
    gpu=MachineRates(flops_per_s=4e14, memory_bytes_per_s=2e12, dollars_per_hour=3.0),
)

CONFIG: dict[str, Any] = {
    "models": {
        "big": {
            "source": "hf:o/n",
            "revision": "a" * 40,
            "blocks": 80,
            "blocks_per_shard": 2,
            "gpus": True,
            "sizes": {
                "hidden": 8192,
                "intermediate": 29568,
                "queries": 8192,
                "keys": 1024,
                "vocabulary": 152064,
            },
            "calibration": {"source": "file:x", "sequences": 128, "sequence_length": 2048},
        }
    },
    "conditions": {"baseline": {}, "uniform": {"compress": {"bits": 4, "rank": 64}}},
    "experiments": {
        "e": {"model": "big", "tasks": "original-20", "sampling": {"batch_size": 32}},
    },
}


def job(rule: str, *, remote: bool = False, threads: int = 1, **wildcards: str) -> GraphJob:
    return GraphJob.model_construct(
        rule=rule,
        wildcards=wildcards,
        threads=threads,
        outputs=[GraphOutput(path="x", temporary=False, remote=remote)],
    )


def roomy(path: Path) -> Disk:
    return Disk("/", "ext4", 10**14)


def two_h100s() -> list[Gpu]:
    return [Gpu("H100", 85.5e9, 0.5e9)] * 2


DEMANDS = Demands(
    jobs=3,
    results_bytes=4e9,
    scratch_bytes=0,
    scratch_rule="",
    storage_bytes=0,
    gpus=GpuDemand(2, 150e9, "sample_responses"),
)


def refusals(demands: Demands = DEMANDS, **machine: Any) -> list[str]:
    about = {"disk": roomy, "devices": two_h100s} | machine
    return preflight(demands, Path("results"), **about).refusals


def test_a_machine_that_has_everything_is_refused_nothing() -> None:
    report = preflight(DEMANDS, Path("results"), disk=roomy, devices=two_h100s)
    assert report.refusals == []
    assert "results: results (ext4) receives at most 4.2 GB, 100,000.0 GB are free" in report.text()
    assert "GPUs: 2 of 75.0 GB needed (sample_responses), here: H100 85.5 GB" in report.text()


def test_a_disk_of_one_gigabyte() -> None:
    (sentence,) = refusals(disk=lambda path: Disk(str(path), "ext4", 10**9))
    assert sentence == (
        "results: results will receive up to 4.2 GB, but 1.0 GB are free; free some, move the "
        "folder (pathvars.results), or keep large files on S3 (storage)."
    )


def test_locations_that_fit_alone_but_not_together() -> None:
    (sentence,) = refusals(disk=lambda path: Disk("/", "ext4", 4_300_000_000))
    assert sentence == (
        "/: results and TMPDIR will receive up to 4.4 GB together, but 4.3 GB are free; free some."
    )


def test_no_gpu() -> None:
    (sentence,) = refusals(devices=list)
    assert sentence.startswith("GPU: sample_responses needs 2, and nvidia-smi finds none here;")


def test_too_few_gpus() -> None:
    (sentence,) = refusals(devices=lambda: two_h100s()[:1])
    assert sentence.startswith("GPU: sample_responses needs 2, and here is 1;")


def test_too_small_gpus() -> None:
    (sentence,) = refusals(devices=lambda: [Gpu("A10", 24e9, 1e9)] * 4)
    assert sentence.startswith(
        "GPU: sample_responses needs 75.0 GB on each of 2, but 23.0 GB are free here;"
    )


def test_gpus_of_other_machines_are_only_told() -> None:
    report = preflight(
        DEMANDS, Path("results"), gpus_here=False, disk=roomy, devices=lambda: pytest.fail("asked")
    )
    assert report.refusals == []
    assert "GPUs: 2 of 75.0 GB on a node (sample_responses)" in report.text()


def test_gpus_without_a_limit_are_refused() -> None:
    (sentence,) = shared_gpus(DEMANDS, {"_cores": 8, "mem_mb": 1000})
    assert sentence == (
        "gpu: jobs would start on the same GPUs at once; add --resources gpu=N, with N the number "
        "of GPUs here."
    )
    assert shared_gpus(DEMANDS, {"_cores": 8, "gpu": 2}) == []
    assert shared_gpus(replace(DEMANDS, gpus=None), {"_cores": 8}) == []


def test_a_cache_on_the_layer_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(module, "try_model", lambda repository, revision: None)
    demands = demands_of([job("fetch_model", model="big")], CONFIG, RATES, tmp_path, 8)

    def container(path: Path) -> Disk:
        layer = path == tmp_path / "hub"
        return Disk(str(path), "overlay" if layer else "ext4", 5 * 10**9)

    (sentence,) = refusals(demands, disk=container)
    assert sentence == (
        f"{tmp_path}/hub: the Hugging Face cache lies on the container's own layer (overlay, 5.0 "
        "GB free), which is small and lost with the container; set HF_HOME to a folder on a volume."
    )


def test_what_large_jobs_need_is_counted(tmp_path: Path) -> None:
    wildcards = {"model": "big", "condition": "uniform", "shard": "blocks000-001"}
    jobs = [job("compress_shard", remote=True, threads=16, **wildcards) for _ in range(40)]
    jobs.append(
        job("sample_responses", experiment="e", condition="baseline", seed="1", first="0", last="4")
    )
    config = CONFIG | {"storage": {"prefix": "s3://b"}}
    demands = demands_of(jobs, config, RATES, tmp_path, cores=32)
    assert demands.gpus is not None
    assert (demands.gpus.count, demands.gpus.rule) == (2, "sample_responses")
    assert demands.gpus.bytes_each == pytest.approx(76e9, rel=0.02)
    # Two blocks of 1.755 GB and their Hessians of 8.606 GB, packed to about 1 GB; two jobs at once.
    # A job on GPUs, which reads all weights for sampling, runs beside them.
    compressing = 2 * (2 * (1.755e9 + 8.606e9) + 1.0e9)
    assert demands.scratch_rule == "compress_shard and sample_responses"
    assert demands.scratch_bytes == pytest.approx(145.4e9 + compressing, rel=0.01)
    few = demands_of(jobs[:40], config, RATES, tmp_path, cores=32)
    assert few.scratch_rule == "compress_shard"
    assert few.scratch_bytes == pytest.approx(compressing, rel=0.02)
    # Of the rules on GPUs, only one runs at a time.
    jobs.append(job("accumulate_hessians", model="big", shard="blocks000-001"))
    more = demands_of(jobs, config, RATES, tmp_path, cores=32)
    assert more.scratch_bytes == demands.scratch_bytes
    assert few.storage_bytes == pytest.approx(40 * 1.0e9, rel=0.1)
    assert demands_of(jobs[:40], CONFIG, RATES, tmp_path, cores=32).scratch_bytes == 0


def test_the_disk_of_a_folder_that_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disk_of(tmp_path).free_bytes > 0
    asked: list[Path] = []

    def usage(path: Path) -> SimpleNamespace:
        """Free bytes that other processes do not change."""
        asked.append(path)
        return SimpleNamespace(free=17)

    monkeypatch.setattr(machine, "shutil", SimpleNamespace(disk_usage=usage))
    assert disk_of(tmp_path / "a/b") == disk_of(tmp_path)
    assert asked == [tmp_path.resolve()] * 2


def test_gpus_are_read_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559, 1024'\n")
    program.chmod(0o755)
    assert gpus() == [Gpu("NVIDIA H100 80GB HBM3", 81559 * 2**20, 2**30)]
