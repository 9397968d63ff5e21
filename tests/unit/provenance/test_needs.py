"""What jobs ask for, from sizes alone."""

from typing import Any

import pytest

from goodhart_gap.provenance.needs import Need, hessian_bytes, need_of
from goodhart_gap.provenance.settings import MachineRates, ModelSizes, PlanSettings

RATES = PlanSettings(
    cpu_core=MachineRates(flops_per_s=2e10, memory_bytes_per_s=8e9, dollars_per_hour=0.04),
    gpu=MachineRates(flops_per_s=4e14, memory_bytes_per_s=2.3e12, dollars_per_hour=3.0),
)
SIZES = {
    "hidden": 8192,
    "intermediate": 29568,
    "queries": 8192,
    "keys": 1024,
    "vocabulary": 152064,
}
BLOCK = 2 * (2 * 8192**2 + 2 * 8192 * 1024 + 3 * 8192 * 29568)
EMBEDDINGS = 2 * 2 * 152064 * 8192


def config(**changes: Any) -> dict[str, Any]:
    model = {"source": "hf:o/n", "blocks": 80, "blocks_per_shard": 2, "gpus": True, "sizes": SIZES}
    model["calibration"] = {"source": "hf:c4", "sequences": 128, "sequence_length": 2048}
    compress = {"bits": 4, "group_size": 64, "rank": 64}
    return {
        "models": {"big": model | changes},
        "conditions": {
            "baseline": {},
            "uniform": {"compress": compress},
            "selective": {"compress": compress, "protect": {"last": 10}},
        },
        "experiments": {
            "e": {"model": "big", "tasks": "original-20", "sampling": {"batch_size": 32}}
        },
    }


def need(rule: str, about: dict[str, Any] | None = None, **wildcards: str) -> Need:
    found = need_of(rule, wildcards, about or config(), RATES)
    assert found is not None
    return found


def test_small_rules_and_models_without_sizes_have_constants() -> None:
    assert need_of("score_responses", {"experiment": "e"}, config(), RATES) is None
    shard = {"model": "big", "shard": "blocks000-001"}
    assert need_of("fetch_shard", shard, config(sizes=None), RATES) is None
    assert need_of("fetch_shard", shard | {"model": "other"}, config(), RATES) is None


def test_no_job_but_sampling_the_baseline_needs_the_disk_of_a_checkpoint() -> None:
    shard = {"model": "big", "shard": "blocks002-003"}
    assert need("fetch_shard", **shard).scratch_bytes == 2 * BLOCK
    hessians = hessian_bytes(ModelSizes.model_validate(SIZES))
    activations = 2 * 128 * 2048 * 8192
    calibrate = need("accumulate_passing_hessians", **shard)
    assert calibrate.scratch_bytes == 2 * (BLOCK + hessians) + 2 * activations
    assert calibrate.scratch_bytes < 35e9
    baseline = need("sample_responses", experiment="e", condition="baseline", first="0", last="4")
    assert baseline.scratch_bytes == 80 * BLOCK + EMBEDDINGS


def test_activations_are_float32_without_gpus() -> None:
    shard = {"model": "big", "shard": "blocks002-003"}
    on_gpus, on_cpu = (
        need("accumulate_passing_hessians", config(gpus=gpus), **shard) for gpus in (True, False)
    )
    # Those before and those after the shard, 2 bytes a number more.
    assert on_cpu.scratch_bytes - on_gpus.scratch_bytes == 2 * 2 * 128 * 2048 * 8192


def test_protected_blocks_keep_their_bytes() -> None:
    def scratch(condition: str, shard: str) -> float:
        return need("compress_shard", model="big", condition=condition, shard=shard).scratch_bytes

    assert scratch("selective", "blocks000-001") == scratch("uniform", "blocks000-001")
    more = scratch("selective", "blocks070-071") - scratch("uniform", "blocks070-071")
    assert more == pytest.approx(2 * BLOCK * (1 - 4.5 / 16), rel=0.01)


def test_gpus_follow_from_what_one_holds() -> None:
    sampling = {"experiment": "e", "condition": "uniform", "first": "0", "last": "4"}
    two = need("sample_responses", **sampling)
    assert two.gpus == 2
    small = RATES.model_copy(update={"gpu_memory_bytes": 4e10})
    found = need_of("sample_responses", sampling, config(), small)
    assert found is not None
    assert found.gpus == 4
    on_cpu = need("sample_responses", config(gpus=False), **sampling)
    assert on_cpu.gpus == 0
    assert on_cpu.memory_bytes > 80 * BLOCK


def test_a_cut_of_more_blocks_needs_more_of_everything() -> None:
    one = need("compress_shard", model="big", condition="uniform", shard="blocks000-000")
    four = need("compress_shard", model="big", condition="uniform", shard="blocks000-003")
    assert four.scratch_bytes == pytest.approx(4 * one.scratch_bytes)
    assert four.memory_bytes > one.memory_bytes
    assert four.minutes >= one.minutes


def test_a_condition_that_reuses_others_needs_the_files_it_points_into() -> None:
    about = config()
    about["conditions"] |= {
        "whole": {"reuse": "uniform"},
        "last": {"reuse": "uniform", "protect": {"last": 3}},
        "alone": {"reuse": {"uniform": [5], "base": "rest"}},
    }

    def disk(condition: str) -> float:
        wildcards = {"experiment": "e", "condition": condition, "first": "0", "last": "4"}
        return need("sample_responses", about, **wildcards).scratch_bytes

    packed = (disk("uniform") - EMBEDDINGS) / 80
    assert disk("whole") == disk("uniform")
    # Blocks 77 to 79 lie in two shards of two; block 76 comes from a compressed one.
    assert disk("last") == pytest.approx(EMBEDDINGS + 78 * packed + 4 * BLOCK)
    assert disk("alone") == pytest.approx(EMBEDDINGS + 2 * packed + 80 * BLOCK)


def test_comparing_two_models_needs_both() -> None:
    wildcards = {"model": "big", "condition": "uniform"}
    dense = 80 * BLOCK + EMBEDDINGS
    both = need("measure_divergence", **wildcards)
    one = need("profile_blocks", **wildcards)
    assert 2 * dense < both.gpu_bytes < 2.1 * dense
    assert dense + BLOCK < one.gpu_bytes < 1.3 * dense
    assert both.scratch_bytes == one.scratch_bytes > dense
