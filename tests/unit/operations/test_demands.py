"""What the jobs of a run need together."""

from pathlib import Path
from typing import Any

import pytest

from goodhart_gap.operations.demands import Demands, demands_of
from goodhart_gap.provenance.graph import GraphJob
from tests.unit.operations.test_preflight import CONFIG, RATES, job

EMBEDDINGS, BLOCK, HESSIANS, PACKED = 4.98e9, 1.755e9, 8.606e9, 0.5e9
"""Bytes of the 72B: of its embeddings and head, of a block, of a block's Hessians, compressed."""

ACTIVATIONS = 128 * 2048 * 8192 * 2
ON_S3 = CONFIG | {
    "storage": {"prefix": "s3://bucket/x", "hessians": True},
    "conditions": CONFIG["conditions"] | {"other": CONFIG["conditions"]["uniform"]},
}
SHARDS = [f"blocks{first:03d}-{first + 1:03d}" for first in range(0, 80, 2)]


def the_72b() -> list[GraphJob]:
    """All large jobs of a baseline and two conditions, every large file on S3."""
    jobs = [
        job("fetch_shard", far=(f"base/{shard}",), model="big", shard=shard)
        for shard in ["embeddings", *SHARDS]
    ]
    before = "base/embeddings"
    for shard in SHARDS:
        hessians, after = f"calibration/hessians/{shard}", f"calibration/activations/{shard}"
        jobs.append(
            job(
                "accumulate_hessians",
                far=(hessians, after),
                stored=(before, f"base/{shard}"),
                model="big",
                shard=shard,
            )
        )
        before = after
        jobs += [
            job(
                "compress_shard",
                far=(f"{condition}/{shard}",),
                stored=(f"base/{shard}", hessians),
                threads=16,
                model="big",
                condition=condition,
                shard=shard,
            )
            for condition in ("uniform", "other")
        ]
    for condition, folder in (("baseline", "base"), ("uniform", "uniform"), ("other", "other")):
        stored = ("base/embeddings", *(f"{folder}/{shard}" for shard in SHARDS))
        about = {"experiment": "e", "condition": condition, "seed": "1", "first": "0", "last": "4"}
        jobs.append(job("sample_responses", stored=stored, **about))
    return jobs


def demanded(jobs: list[GraphJob], config: Any = ON_S3, cores: int = 32) -> Demands:
    return demands_of(jobs, config, RATES, Path("nowhere"), cores)


def test_copies_of_files_on_s3_stay_until_no_job_needs_them() -> None:
    """All base shards for the baseline, all Hessians that wait, both conditions, two activations.

    Also where one core works at a time: jobs that wait hold their files, too.
    """
    base, hessians = EMBEDDINGS + 80 * BLOCK, 80 * HESSIANS
    expected = base + hessians + 2 * 80 * PACKED + 2 * ACTIVATIONS
    for cores in (1, 32):
        found = demanded(the_72b(), cores=cores)
        assert found.scratch_bytes == pytest.approx(expected, rel=0.01)
        assert found.scratch_rule == "accumulate_hessians"
        assert found.results_bytes < 1e9
    assert found.storage_bytes == pytest.approx(base + hessians + 2 * 80 * PACKED, rel=0.01)


def test_files_that_earlier_runs_have_made_are_fetched_once() -> None:
    sampling = [one for one in the_72b() if one.rule == "sample_responses"]
    (baseline, *_) = sampling
    found = demanded([baseline, baseline])
    assert found.scratch_bytes == pytest.approx(EMBEDDINGS + 80 * BLOCK, rel=0.01)
    assert found.scratch_rule == "fetch_shard"
    (last,) = [
        one
        for one in the_72b()
        if one.rule == "compress_shard"
        and one.wildcards["shard"] == SHARDS[-1]
        and one.wildcards["condition"] == "uniform"
    ]
    assert demanded([last]).scratch_bytes == pytest.approx(
        2 * (BLOCK + HESSIANS + PACKED), rel=0.02
    )


def test_copies_on_the_disks_of_other_machines_are_not_here() -> None:
    jobs = [one.model_copy(update={"copies_here": False}) for one in the_72b()]
    assert demanded(jobs).scratch_bytes == 0


def test_without_a_storage_files_lie_with_the_results() -> None:
    jobs = [one.model_copy(update={"stored": [], "outputs": []}) for one in the_72b()]
    found = demanded(jobs, CONFIG | {"conditions": ON_S3["conditions"]})
    assert (found.scratch_bytes, found.scratch_rule, found.storage_bytes) == (0, "", 0)
    assert found.results_bytes == pytest.approx(demanded(the_72b()).scratch_bytes, rel=0.01)


def test_gpus_of_the_most_demanding_job() -> None:
    found = demanded(the_72b())
    assert found.gpus is not None
    assert (found.gpus.count, found.gpus.rule) == (2, "sample_responses")
    assert found.gpus.bytes_each == pytest.approx(76e9, rel=0.02)


def test_memory_of_jobs_alone_and_at_once() -> None:
    fetching = [one for one in the_72b() if one.rule == "fetch_shard"]
    found = demanded(fetching, cores=16).memory
    assert found is not None
    # The embeddings are the largest shard; beside them, fifteen of two blocks.
    assert found.bytes == pytest.approx(1.5e9 + 2 * EMBEDDINGS, rel=0.01)
    others = 15 * (1.5e9 + 2 * 2 * BLOCK)
    assert found.together_bytes == pytest.approx(found.bytes + others, rel=0.01)
    everything = demanded(the_72b(), cores=32).memory
    assert everything is not None
    assert everything.rule == "compress_shard"
    assert everything.together_rule == "fetch_shard and accumulate_hessians"
    assert demanded([job("aggregate", experiment="e")]).memory is None


def test_data_sets_of_calibrations_that_run() -> None:
    about = CONFIG["models"]["big"]
    streamed = about | {"calibration": {"source": "hf:allenai/c4#en", "revision": "b" * 40}}
    config = ON_S3 | {"models": {"big": streamed}}
    calibrating = [job("calibration_tokens", model="big")]
    assert demanded(calibrating, config).data_sets == {"allenai/c4": "b" * 40}
    assert demanded(calibrating).data_sets == {}
    assert demanded(the_72b(), config).data_sets == {}
