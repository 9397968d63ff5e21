"""Refusals of the preflight, with the numbers, on machines of every kind."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.operations import access, machine
from goodhart_gap.operations import preflight as module
from goodhart_gap.operations.demands import Demands, GpuDemand, MemoryDemand, demands_of
from goodhart_gap.operations.machine import Disk, Gpu, disk_of, gpus
from goodhart_gap.operations.memory import Memory
from goodhart_gap.operations.preflight import preflight, shared_gpus, shared_memory
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


def job(
    rule: str,
    *,
    far: tuple[str, ...] = (),
    stored: tuple[str, ...] = (),
    threads: int = 1,
    **wildcards: str,
) -> GraphJob:
    """A job whose outputs `far`, and inputs `stored`, live on S3, below `results/models/big`."""
    return GraphJob.model_construct(
        rule=rule,
        wildcards=wildcards,
        threads=threads,
        stored=[large(name) for name in stored],
        outputs=[GraphOutput(path=large(name), temporary=False, remote=True) for name in far]
        or [GraphOutput(path="x", temporary=False, remote=False)],
    )


def large(name: str) -> str:
    return f"results/models/big/{name}.safetensors"


def roomy(path: Path) -> Disk:
    return Disk("/", "ext4", 10**14)


def two_h100s() -> list[Gpu]:
    return [Gpu("H100", 85.5e9, 0.5e9)] * 2


PLENTY = Memory(10**13, 10**13)

DEMANDS = Demands(
    jobs=3,
    results_bytes=4e9,
    scratch_bytes=0,
    scratch_rule="",
    storage_bytes=0,
    gpus=GpuDemand(2, 150e9, "sample_responses"),
)


def refusals(demands: Demands = DEMANDS, **machine: Any) -> list[str]:
    about = {"disk": roomy, "devices": two_h100s, "main_memory": lambda: PLENTY} | machine
    return preflight(demands, Path("results"), **about).refusals


def test_a_machine_that_has_everything_is_refused_nothing() -> None:
    report = preflight(DEMANDS, Path("results"), disk=roomy, devices=two_h100s)
    assert report.refusals == []
    assert "results: results (ext4) receives at most 4.2 GB, 100,000.0 GB are free" in report.text()
    assert "GPUs: 2 of 75.0 GB needed (sample_responses), here: H100 85.5 GB" in report.text()


def test_a_disk_of_one_gigabyte() -> None:
    (sentence,) = refusals(disk=lambda path: Disk(str(path), "ext4", 10**9))
    assert sentence == (
        "results: results will receive up to 4.2 GB, but 1.0 GB are free; free some, or move the "
        "folder to a larger disk (pathvars.results)."
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
        DEMANDS, Path("results"), here=False, disk=roomy, devices=lambda: pytest.fail("asked")
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


def test_memory_that_the_largest_job_exceeds() -> None:
    demands = replace(DEMANDS, memory=MemoryDemand(47e9, "compress_shard", 67e9, "compress_shard"))
    small = Memory(25_000_000_000, 24_000_000_000)
    (sentence,) = refusals(demands, main_memory=lambda: small)
    assert sentence == (
        "memory: compress_shard needs 47.0 GB, and here are 25.0 GB; run on a machine, or in a "
        "container, with more."
    )
    assert refusals(demands, main_memory=lambda: small, here=False) == []
    assert refusals(demands) == []


def test_jobs_that_together_exceed_the_memory_are_told_how_to_wait() -> None:
    demands = replace(DEMANDS, memory=MemoryDemand(12e9, "fetch_shard", 140e9, "fetch_shard"))
    small = Memory(128_000_000_000, 100_000_000_000)
    (line,) = shared_memory(demands, {"gpu": 2}, lambda: small)
    assert line == (
        "warning: jobs of fetch_shard may need 140.0 GB of memory at once, and here are 128.0 GB; "
        "add --resources mem_mb=128000, so that they wait for each other."
    )
    assert shared_memory(demands, {"mem_mb": 128_000}, lambda: small) == []
    assert shared_memory(demands, {}, lambda: PLENTY) == []
    assert shared_memory(DEMANDS, {}, lambda: small) == []


def test_a_quota_counts_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with (tmp_path / "models/shard").open("wb") as file:
        file.truncate(3 * 10**9)
    about = {"disk": roomy, "devices": two_h100s, "main_memory": lambda: PLENTY}
    report = preflight(DEMANDS, tmp_path, quota_bytes=7e9, **about)
    assert "quota of the results: 7.0 GB, of which 3.0 GB are taken" in report.text()
    assert report.refusals == [
        f"{tmp_path}: results hold 3.0 GB and will receive up to 4.2 GB, more than "
        "operations.results_quota_bytes = 7.0 GB; free some, or move the folder to a larger disk "
        "(pathvars.results)."
    ]
    assert preflight(DEMANDS, tmp_path, quota_bytes=8e9, **about).refusals == []


def test_a_data_set_needs_its_library_and_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(module, "try_data_set", lambda *about: asked.append(about))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    demands = replace(DEMANDS, data_sets={"allenai/c4": "b" * 40})
    (sentence,) = refusals(demands)
    assert sentence == (
        "calibration.source: hf:allenai/c4 needs the `datasets` library, which is not installed "
        "here; run `make hub`, or use `self` or `file:{text file}`."
    )
    assert asked == [("allenai/c4", "b" * 40)]
    assert refusals(demands, libraries_here=False) == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert refusals(demands) == []


def test_a_data_set_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*about: Any, **more: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.HfApi.repo_info", away)
    with pytest.raises(GoodhartError) as caught:
        access.try_data_set("allenai/c4", "b" * 40)
    assert str(caught.value) == (
        "data set hf:allenai/c4@bbbbbbbbbbbb: the Hugging Face hub cannot be reached "
        "(ConnectionError); check the network, or use `self` or `file:{text file}`."
    )


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
