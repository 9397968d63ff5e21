"""What jobs ask for, from sizes alone."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from goodhart_gap.compression.accounting import stored_bytes
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.templates.all import TEMPLATES
from goodhart_gap.provenance.needs import START_BYTES, Need, hessian_bytes, need_of
from goodhart_gap.provenance.settings import MachineRates, ModelSizes, PlanSettings
from goodhart_gap.provenance.sizes import (
    compressed_bytes,
    matrices,
    packed_bytes,
    task_count,
)

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
    model["calibration"] = {"source": "file:c4.txt", "sequences": 128, "sequence_length": 2048}
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
    # 4 bits, a scale of 16 and a zero of 4 bits for 64 weights, and the factors.
    factors = 0.5 * 64 * sum(map(sum, matrices(ModelSizes.model_validate(SIZES))))
    assert more == pytest.approx(2 * (BLOCK * (1 - (4 + 20 / 64) / 16) - factors), rel=0.001)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"method": "gptq", "bits": 3},
        {"symmetric": True, "group_size": 128, "factor_bits": 16},
        {"codebook": "e8", "hadamard": True, "bits": 2, "rank": 64},
        {"codebook": "trellis", "hadamard": True, "bits": 4, "rank": 0},
    ],
)
def test_packed_bytes_are_those_of_the_format(how: dict[str, Any]) -> None:
    sizes = ModelSizes.model_validate(SIZES)
    settings = MatrixSettings.model_validate(how)
    expected = sum(stored_bytes(shape, settings) for shape in matrices(sizes))
    assert packed_bytes(sizes, how) == expected
    model = {"blocks": 80}
    assert compressed_bytes(sizes, model, {"compress": how}, range(3)) == 3 * expected
    assert compressed_bytes(sizes, model, {}, range(3)) == 3 * BLOCK


def test_time_to_sample_counts_the_tasks_of_the_set(tmp_path: Path) -> None:
    """Not what the name of the file says."""
    own = tmp_path / "my-500.yaml"
    own.write_text("description: d\ngenerate: {templates: all, variants: 1}\n")
    assert task_count("extended") == 105
    assert task_count("original-20") == 20
    assert task_count(str(own)) == len(TEMPLATES) < 500
    with pytest.raises(GoodhartError, match=r"absent\.yaml: there is no such task set"):
        task_count(str(tmp_path / "absent.yaml"))
    # On one core a run of the 72B takes far longer than the shortest limit.
    wildcards = {"experiment": "e", "condition": "baseline", "first": "0", "last": "24"}
    few, many = config(gpus=False), config(gpus=False)
    many["experiments"]["e"]["tasks"] = "extended"
    minutes = [need("sample_responses", about, **wildcards).minutes for about in (few, many)]
    assert minutes[1] == pytest.approx(105 / 20 * minutes[0], rel=0.1)


def test_needs_and_plans_are_made_without_torch() -> None:
    code = (
        "import sys\nimport goodhart_gap.provenance.plan\n"
        "from goodhart_gap.provenance.sizes import task_count\ntask_count('extended')\n"
        "sys.exit(','.join({'torch', 'transformers', 'pandas'} & set(sys.modules)) or 0)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


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
    assert dense + BLOCK < one.gpu_bytes < 1.15 * dense
    assert both.scratch_bytes == one.scratch_bytes > dense


def test_a_judge_needs_what_its_own_model_needs() -> None:
    about = config(gpus=True)
    small = {"hidden": 512, "intermediate": 1024, "queries": 512, "keys": 128, "vocabulary": 1000}
    judges = {"source": "file:judge", "blocks": 10, "sizes": small}
    about["models"]["small"] = judges
    about["experiments"]["e"]["grading"] = {"explanation": "judge", "judge": {"model": "small"}}
    chunk = {"experiment": "e", "condition": "uniform", "first": "0", "last": "4"}
    by_small = need("judge_responses", about, **chunk)
    assert by_small.gpus == 0
    assert by_small.memory_bytes < need("sample_responses", about, **chunk).memory_bytes
    about["experiments"]["e"]["grading"]["judge"]["model"] = "big"
    by_big = need("judge_responses", about, **chunk)
    assert by_big.scratch_bytes == 80 * BLOCK + EMBEDDINGS
    cache = 256 * (150 + 256 + 300) * 2 * 80 * 1024 * 2  # of a batch of explanations
    assert by_big.gpu_bytes == 80 * BLOCK + EMBEDDINGS + cache
    assert by_big.gpus == 3
    gold = need("judge_gold", about, experiment="e")
    assert gold.gpu_bytes == by_big.gpu_bytes
    assert gold.minutes >= by_big.minutes
    about["experiments"]["e"]["grading"]["judge"] = {"api": {"url": "http://x/v1", "model": "m"}}
    assert need_of("judge_responses", chunk, about, RATES) is None


def test_sensitivity_holds_every_variant() -> None:
    about = config(sensitivity_tokens=4096)
    about["conditions"]["three"] = {"compress": {"bits": 3}}
    about["conditions"]["spent"] = {
        "budget": {"bits_per_parameter": 4, "choices": ["uniform", "base"]}
    }
    about["experiments"]["e"]["conditions"] = ["baseline", "spent"]
    one = need("measure_sensitivity", about, model="big")
    about["conditions"]["spent"]["budget"]["choices"] = ["uniform", "three", "base"]
    two = need("measure_sensitivity", about, model="big")
    # Hidden states in float32 of a variant a block.
    assert two.gpu_bytes - one.gpu_bytes == 4 * 4096 * 8192 * 80
    assert one.gpu_bytes > 2 * (2 * BLOCK + EMBEDDINGS)
    assert two.scratch_bytes > one.scratch_bytes > 80 * BLOCK + EMBEDDINGS
    about["models"]["big"]["gpus"] = False
    on_cpu = need("measure_sensitivity", about, model="big")
    assert on_cpu.memory_bytes == pytest.approx(two.gpu_bytes + START_BYTES)


def test_foreseeing_reads_what_compressing_reads() -> None:
    wildcards = {"model": "big", "condition": "uniform", "shard": "blocks000-001"}
    foreseen, compressed = need("foresee_errors", **wildcards), need("compress_shard", **wildcards)
    assert foreseen.gpus == 0
    assert foreseen.memory_bytes < compressed.memory_bytes
    assert foreseen.scratch_bytes < compressed.scratch_bytes < foreseen.scratch_bytes + BLOCK


def test_an_export_is_written_by_weight_and_checked_whole() -> None:
    wildcards = {"model": "big", "condition": "uniform"}
    written = need("export_dense", **wildcards)
    checked = need("check_export", **wildcards, format="dense")
    dense = 80 * BLOCK + EMBEDDINGS
    assert written.gpus == checked.gpus == 0
    assert EMBEDDINGS < written.memory_bytes < dense / 4
    assert written.scratch_bytes > dense
    assert 2 * 2 * dense < checked.memory_bytes < 2.3 * 2 * dense
