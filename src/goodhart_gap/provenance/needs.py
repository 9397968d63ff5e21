"""What a job of a large model needs: main memory, GPUs, scratch disk, minutes. From sizes alone.

Symbols as in `goodhart_gap.provenance.workload`. With w the bytes of a block's weights, H = 8
(2 h^2 + q^2 + i^2) those of its Hessians (float32, train and held-out), b the blocks of the shard
and a the bytes of the calibration tokens' activations (in the dtype of the model on GPUs, else in
float32):

    job                    main memory                    scratch disk
    fetch_shard            2 b w                          b w
    accumulate_hessians    w + H + 2 a                    b (w + H) + 2 a
    foresee_errors         12 x widest Hessian            b (w + H)
    compress_shard         12 x widest Hessian + packed   b (w + H) + packed
    sample_responses       largest shard x 2              all shards
    judge_responses        the same of the judge          the judge
    measure_sensitivity    block in float32               base and every choice
    exports                shard + 3 x widest in float32  stored + written
    check_export           that + 2 models in float32     stored + written

Main memory comes on top of an interpreter with its libraries (`START_BYTES`). A forward pass needs
its weights (of one block for Hessians, of the whole model for sampling) on GPUs, with room for
activations and the cache of keys and values. Without GPUs that is main memory, and twice as much: a
CPU may have to compute in float32 (`goodhart_gap.models.number_format`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from goodhart_gap.compression.reuse import BASE
from goodhart_gap.provenance.graph import GraphJob
from goodhart_gap.provenance.settings import ModelSizes, PlanSettings
from goodhart_gap.provenance.sizes import (
    CHECKED_LENGTH,
    CHECKED_SEQUENCES,
    DTYPE_BYTES,
    activation_bytes,
    block_range_of,
    block_weights,
    blocks_of,
    budget_choices,
    calibration_of,
    compressed_bytes,
    embedding_weights,
    judge_of,
    matrices,
    model_of,
    model_weights,
    profiled_tokens,
    sampling_of,
    sensitivity_tokens,
)
from goodhart_gap.provenance.workload import work_of

START_BYTES = 1.5e9
"""Python with torch and transformers."""

ON_CPU = 2
"""Bytes of a forward pass on a CPU, at most, over those on a GPU."""

SHARE_OF_GPU = 0.95
"""Of a GPU's memory, what weights, caches and activations may take together."""

PATIENCE = 4
"""A job may take this many times as long as predicted before it is ended."""

SHORTEST_MINUTES = 30

COMPRESS_THREADS = 16
"""Threads of a compress job of a large model: its matrices are products of thousands of columns."""
_EXPORTS = ("export_dense", "export_gguf", "export_compressed_tensors", "export_caldera")

_THREADS = {
    "foresee_errors": COMPRESS_THREADS,
    "compress_shard": COMPRESS_THREADS,
    "check_export": 2,
} | dict.fromkeys(_EXPORTS, 1)
"""Where they are not 8."""


Amounts = tuple[float, float, float]
"""Bytes of main memory, of scratch disk, and on GPUs."""


@dataclass(frozen=True)
class Need:
    """What one job needs."""

    memory_bytes: float
    scratch_bytes: float
    """What must fit on its scratch disk at once: inputs that travel, and outputs."""
    gpus: int
    gpu_bytes: float
    """What must fit on its GPUs together."""
    minutes: int
    """After which it may be ended."""


def need_of(
    rule: str, wildcards: Mapping[str, str], config: Mapping[str, Any], settings: PlanSettings
) -> Need | None:
    """Return what a job of `rule` needs; None for a small rule, or a model without stated sizes."""
    model = model_of(rule, wildcards, config)
    stated = config["models"].get(model, {}).get("sizes") if model else None
    measure = _NEEDS.get(rule)
    if measure is None or not stated or model is None:
        return None
    sizes, about = ModelSizes.model_validate(stated), config["models"][model]
    memory, scratch, gpu_bytes = measure(sizes, about, _Job(wildcards, config, settings))
    room = settings.gpu_memory_bytes * SHARE_OF_GPU
    gpus = max(1, math.ceil(gpu_bytes / room)) if gpu_bytes and about.get("gpus") else 0
    threads = _THREADS.get(rule, 8)
    job = GraphJob.model_construct(rule=rule, wildcards=dict(wildcards))
    work = work_of(job, sizes, about, config, settings)
    seconds = work.seconds(settings, gpus=gpus, cores=threads)
    return Need(
        memory_bytes=START_BYTES + memory + (0 if gpus else ON_CPU * gpu_bytes),
        scratch_bytes=scratch,
        gpus=gpus,
        gpu_bytes=gpu_bytes if gpus else 0,
        minutes=max(SHORTEST_MINUTES, math.ceil(PATIENCE * seconds / 60)),
    )


@dataclass(frozen=True)
class _Job:
    wildcards: Mapping[str, str]
    config: Mapping[str, Any]
    settings: PlanSettings

    @property
    def blocks(self) -> int:
        return blocks_of(self.wildcards.get("shard", ""))


def hessian_bytes(sizes: ModelSizes) -> int:
    """Return the bytes of a block's Hessians, both splits: q/k/v and gate/up share one each."""
    widths = (sizes.hidden, sizes.queries, sizes.hidden, sizes.intermediate)
    return 8 * sum(width**2 for width in widths)


def _weight_bytes(weights: int, about: Mapping[str, Any]) -> int:
    return weights * DTYPE_BYTES[about.get("dtype", "bfloat16")]


def _shard_bytes(sizes: ModelSizes, about: Mapping[str, Any], blocks: int) -> int:
    return _weight_bytes(blocks * block_weights(sizes) or embedding_weights(sizes), about)


def _fetch(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    shard = _shard_bytes(sizes, about, job.blocks)
    return 2 * shard, shard, 0


def _hessians(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    block = _shard_bytes(sizes, about, 1)
    activations = activation_bytes(sizes, about)
    memory = block + hessian_bytes(sizes) + 2 * activations
    # The first shard starts from the embeddings in place of activations.
    before = max(activations, _shard_bytes(sizes, about, 0) if _is_first(job) else 0)
    scratch = job.blocks * (block + hessian_bytes(sizes)) + before + activations
    return memory, scratch, block + hessian_bytes(sizes) / 2 + _room(sizes, 4096)


def _foresee(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    widest = max(columns for _, columns in matrices(sizes))
    scratch = _shard_bytes(sizes, about, job.blocks) + job.blocks * hessian_bytes(sizes)
    # Measured of compressing: 11.4 times at 3,072 columns and a third as many rows.
    return 12 * 4 * widest**2, scratch, 0


def _compress(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    condition = job.config["conditions"].get(job.wildcards["condition"]) or {}
    shard = block_range_of(job.wildcards.get("shard", ""))
    packed = compressed_bytes(sizes, about, condition, shard)
    memory, scratch, _ = _foresee(sizes, about, job)
    return memory + packed, scratch + packed, 0


def _sample(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    weights = _weight_bytes(model_weights(sizes, dict(about)), about)
    condition = job.config["conditions"].get(job.wildcards.get("condition", "")) or {}
    blocks = about["blocks"]
    stored = _stored_bytes(sizes, about, condition, job) + _shard_bytes(sizes, about, 0)
    largest = _shard_bytes(sizes, about, min(about.get("blocks_per_shard", 4), blocks))
    experiment = job.config["experiments"].get(job.wildcards.get("experiment", ""), {})
    sampling = sampling_of(experiment)
    tokens = job.settings.prompt_tokens + sampling.max_new_tokens
    cache = sampling.batch_size * tokens * 2 * blocks * sizes.keys * 2
    return 2 * largest, stored, weights + cache


def _stored_bytes(
    sizes: ModelSizes, about: Mapping[str, Any], condition: Mapping[str, Any], job: _Job
) -> float:
    """Bytes of the shards that hold the blocks of a condition: whole files, also reused ones."""
    blocks = about["blocks"]
    reuse = condition.get("reuse")
    if not reuse:
        return compressed_bytes(sizes, dict(about), dict(condition), range(blocks))
    chosen = {reuse: "rest"} if isinstance(reuse, str) else reuse
    named = {block: name for name, of in chosen.items() if of != "rest" for block in of}
    rest = next((name for name, of in chosen.items() if of == "rest"), BASE)
    protect = condition.get("protect") or {}
    kept = {
        *range(protect.get("first", 0)),
        *range(blocks - protect.get("last", 0), blocks),
        *protect.get("blocks", ()),
    }
    step = about.get("blocks_per_shard", 4)
    files = {
        (BASE if block in kept else named.get(block, rest), block // step)
        for block in range(blocks)
    }
    return sum(
        compressed_bytes(
            sizes,
            dict(about),
            job.config["conditions"].get(name, {}) if name != BASE else {},
            range(shard * step, min((shard + 1) * step, blocks)),
        )
        for name, shard in files
    )


def _diverge(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    """Two models side by side, without caches."""
    memory, stored, _ = _sample(sizes, about, job)
    weights = _weight_bytes(model_weights(sizes, dict(about)), about)
    logits = 8.0 * sizes.vocabulary * calibration_of(about).sequence_length
    return memory, stored + weights, 2 * weights + 2 * logits


def _profile(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    """The base, one compressed block, two hidden states a token, one sequence's logits."""
    memory, stored, _ = _sample(sizes, about, job)
    weights = _weight_bytes(model_weights(sizes, dict(about)), about)
    kept = 2 * 4.0 * profiled_tokens(about) * sizes.hidden
    # Logits, log probabilities and what is made of them, of the base and of what is compressed.
    at_once = 5 * 4.0 * calibration_of(about).sequence_length * sizes.vocabulary
    table = 4.0 * sizes.vocabulary * sizes.hidden
    held = weights + _shard_bytes(sizes, about, 1) + kept + at_once + table
    return memory, stored + weights, held


def _sensitivity(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    """Two blocks, embedding and head in float32, and the hidden states of every variant."""
    blocks, tokens = about["blocks"], sensitivity_tokens(about)
    choices = budget_choices(job.wildcards["model"], job.config)
    weights = 4.0 * (2 * block_weights(sizes) + embedding_weights(sizes))
    hidden = 4.0 * tokens * sizes.hidden * (1 + len(choices) * blocks)
    # Logits, log probabilities and what is made of them, of variants side by side.
    at_once = max(1024, calibration_of(about).sequence_length)
    held = weights + hidden + 5 * 4.0 * at_once * sizes.vocabulary + _room(sizes, tokens)
    stored = _weight_bytes(model_weights(sizes, dict(about)), about) + sum(
        compressed_bytes(sizes, about, job.config["conditions"][name], range(blocks))
        for name in choices
    )
    # In float32 anyway, so a CPU needs no more than a GPU.
    return (4.0 * block_weights(sizes), stored, held) if about.get("gpus") else (held, stored, 0)


def _judge(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    """An uncompressed model that reads explanations and answers each with a verdict."""
    experiment = job.config["experiments"][job.wildcards["experiment"]]
    judge = judge_of(experiment).sampling
    weights = _weight_bytes(model_weights(sizes, dict(about)), about)
    read = job.settings.prompt_tokens + sampling_of(experiment).max_new_tokens
    tokens = read + judge.max_new_tokens
    cache = judge.batch_size * tokens * 2 * about["blocks"] * sizes.keys * 2
    largest = _shard_bytes(sizes, about, min(about.get("blocks_per_shard", 4), about["blocks"]))
    return 2 * largest, weights, weights + cache


def _export(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    """One weight at a time, of a shard that is mapped; what is written is at most the base."""
    condition = job.config["conditions"].get(job.wildcards["condition"]) or {}
    shards = (min(about.get("blocks_per_shard", 4), about["blocks"]), 0)
    largest = max(_shard_bytes(sizes, about, blocks) for blocks in shards)
    widest = max(sizes.vocabulary * sizes.hidden, *(m * n for m, n in matrices(sizes)))
    stored = _stored_bytes(sizes, about, condition, job) + _shard_bytes(sizes, about, 0)
    written = _weight_bytes(model_weights(sizes, dict(about)), about)
    return largest + 3 * 4.0 * widest, stored + written, 0


def _check_export(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    """Our model and theirs, both in float32 and on the CPU, and their logits."""
    memory, disk, _ = _export(sizes, about, job)
    weights = 4.0 * model_weights(sizes, dict(about))
    logits = 4.0 * CHECKED_SEQUENCES * CHECKED_LENGTH * sizes.vocabulary
    return memory + 2 * weights + 4 * logits, disk, 0


def _calibrate(sizes: ModelSizes, about: Mapping[str, Any], job: _Job) -> Amounts:
    if calibration_of(about).source != "self":
        return 0, 0, 0
    weights = _weight_bytes(model_weights(sizes, dict(about)), about)
    largest = _shard_bytes(sizes, about, min(about.get("blocks_per_shard", 4), about["blocks"]))
    return 2 * largest, weights, weights + _room(sizes, 4096)


def _room(sizes: ModelSizes, tokens: int) -> float:
    """Return the bytes of a block's activations in float32 for that many tokens at once."""
    return 4.0 * tokens * (4 * sizes.hidden + 3 * sizes.intermediate)


def _is_first(job: _Job) -> bool:
    return job.wildcards.get("shard", "").startswith("blocks000")


_NEEDS = {
    "fetch_shard": _fetch,
    "calibration_tokens": _calibrate,
    "accumulate_hessians": _hessians,
    "accumulate_passing_hessians": _hessians,
    "foresee_errors": _foresee,
    "compress_shard": _compress,
    "sample_responses": _sample,
    "measure_divergence": _diverge,
    "profile_blocks": _profile,
    "measure_sensitivity": _sensitivity,
    "judge_responses": _judge,
    "judge_gold": _judge,
    "check_export": _check_export,
} | dict.fromkeys(_EXPORTS, _export)
