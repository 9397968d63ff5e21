"""What a job has to do, from sizes alone: operations, bytes over the network, bytes of output.

Weight matrices of a block (h hidden, q queries, k keys, i intermediate): q/o h x q, k/v h x k,
gate/up/down h x i. A matrix of m rows and n columns costs to compress

    n^3 / 3                      Cholesky factor of its Hessian
    + iterations (2 m n^2        error feedback, column by column
    + 8 m n r)                   low-rank fit of rank r

and its Hessian 2 t n^2 for t tokens. A forward pass costs 2 operations a weight and token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.provenance.graph import Graph, GraphJob
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
    calibration_tokens,
    compressed_bytes,
    embedding_weights,
    fetched_sizes,
    judge_of,
    matrices,
    model_of,
    model_weights,
    profiled_tokens,
    sampling_of,
    sensitivity_tokens,
    task_count,
)

GOLD_RUNS = 20
"""Labelled explanations a task: config/gold has 18."""


@dataclass(frozen=True)
class Work:
    """What one job has to do; all zero but for the start where nothing is known."""

    start_s: float
    flops: float = 0.0
    memory_bytes: float = 0.0
    """Bytes that pass through the device's memory (decoding is bound by them)."""
    network_bytes: float = 0.0
    disk_bytes: float = 0.0
    output_bytes: float = 0.0
    passing_bytes: float = 0.0
    """Of those, what only the next job of its kind reads."""
    known: bool = True
    """Whether the sizes were known; else only the start is counted."""

    def seconds(self, settings: PlanSettings, *, gpus: int, cores: int) -> float:
        """Return how long it takes on `gpus` GPUs, or on `cores` CPU cores where there is none."""
        device, count = (settings.gpu, gpus) if gpus else (settings.cpu_core, cores)
        compute = max(
            self.flops / (device.flops_per_s * count),
            self.memory_bytes / (device.memory_bytes_per_s * count),
        )
        network = self.network_bytes / settings.network_bytes_per_s
        return self.start_s + compute + network + self.disk_bytes / settings.disk_bytes_per_s


class Workload:
    """The work of every job of a graph, from its config and the sizes of its models."""

    def __init__(self, graph: Graph, settings: PlanSettings, results: Path) -> None:
        self._config = graph.config
        self._settings = settings
        self._results = results
        self._sizes: dict[str, ModelSizes | None] = {}

    def model(self, job: GraphJob) -> str | None:
        """Return the name of the model a job works on."""
        return model_of(job.rule, job.wildcards, self._config)

    def work(self, job: GraphJob) -> Work:
        """Return what a job has to do."""
        model = self.model(job)
        sizes = self._model_sizes(model) if model else None
        if job.rule not in _WORK:
            return Work(self._settings.job_start_s)
        if sizes is None or model is None:
            return Work(self._settings.model_start_s, known=False)
        return work_of(job, sizes, self._config["models"][model], self._config, self._settings)

    def _model_sizes(self, model: str) -> ModelSizes | None:
        """Return the sizes from the fetched config.json, the config or the settings, else None."""
        if model not in self._sizes:
            stated = self._config["models"].get(model, {}).get("sizes")
            known = (
                ModelSizes.model_validate(stated) if stated else self._settings.models.get(model)
            )
            self._sizes[model] = fetched_sizes(self._results, model) or known
        return self._sizes[model]


def _fetch_shard(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    weights = blocks_of(job.wildcards["shard"]) * block_weights(sizes) or embedding_weights(sizes)
    size = weights * DTYPE_BYTES[model.get("dtype", "bfloat16")]
    local = not model["source"].startswith("hf:")
    return Work(
        settings.model_start_s,
        network_bytes=0 if local else size,
        disk_bytes=2 * size,
        output_bytes=size,
    )


def _calibration_tokens(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    calibration = calibration_of(model)
    if calibration.source != "self":
        return Work(settings.model_start_s, output_bytes=4 * calibration_tokens(model))
    weights = model_weights(sizes, model)
    steps = calibration.sequence_length
    batches = -(-calibration.sequences // settings.batch)
    return Work(
        settings.model_start_s,
        flops=2.0 * weights * calibration_tokens(model),
        memory_bytes=2.0 * weights * steps * batches,
        disk_bytes=2.0 * weights,
        output_bytes=4 * calibration_tokens(model),
    )


def _accumulate_hessians(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    tokens, blocks = calibration_tokens(model), blocks_of(job.wildcards["shard"])
    # One Hessian for q/k/v, one each for o, gate/up and down.
    widths = (sizes.hidden, sizes.queries, sizes.hidden, sizes.intermediate)
    hessians = sum(width**2 for width in widths)
    return Work(
        settings.model_start_s,
        flops=blocks * 2.0 * tokens * (block_weights(sizes) + hessians),
        disk_bytes=blocks * (2.0 * block_weights(sizes) + 8.0 * hessians),
        output_bytes=blocks * 8.0 * hessians + activation_bytes(sizes, model),
        passing_bytes=activation_bytes(sizes, model),
    )


def _foresee_errors(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    blocks = blocks_of(job.wildcards["shard"])
    widths = (sizes.hidden, sizes.queries, sizes.hidden, sizes.intermediate)
    flops = sum(n**3 / 3 for n in widths) + sum(2.0 * m * n**2 for m, n in matrices(sizes))
    return Work(
        settings.model_start_s,
        flops=blocks * flops,
        disk_bytes=blocks * (2.0 * block_weights(sizes) + 4.0 * sum(n**2 for n in widths)),
    )


def _compress_shard(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    condition = config["conditions"].get(job.wildcards["condition"]) or {}
    how = MatrixSettings.model_validate(condition.get("compress") or {})
    rank = how.rank if how.factored else 0
    iterations = how.iterations if rank else 1
    flops = 0.0
    for rows, columns in matrices(sizes):
        flops += columns**3 / 3 + iterations * (
            2.0 * rows * columns**2 + 8.0 * rows * columns * rank
        )
    packed = compressed_bytes(sizes, model, condition, block_range_of(job.wildcards["shard"]))
    blocks = blocks_of(job.wildcards["shard"])
    return Work(
        settings.model_start_s,
        flops=blocks * flops,
        disk_bytes=blocks * 2.0 * block_weights(sizes) + packed,
        output_bytes=packed,
    )


def _sample_responses(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    experiment = config["experiments"][job.wildcards["experiment"]]
    runs = int(job.wildcards["last"]) - int(job.wildcards["first"]) + 1
    responses = 2 * runs * task_count(experiment["tasks"])
    steps = sampling_of(experiment).max_new_tokens
    weights = model_weights(sizes, model)
    return Work(
        settings.model_start_s,
        flops=2.0 * weights * responses * (settings.prompt_tokens + steps),
        memory_bytes=2.0 * weights * steps * -(-responses // settings.batch),
        disk_bytes=2.0 * weights,
        output_bytes=responses * steps * 5.0,
    )


def _measure_divergence(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    # Two forward passes over the held-out tokens, an eighth of all.
    weights = model_weights(sizes, model)
    return Work(
        settings.model_start_s,
        flops=2 * 2 * weights * calibration_tokens(model) / 8,
        disk_bytes=2 * weights * DTYPE_BYTES[model.get("dtype", "bfloat16")],
    )


def _profile_blocks(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    # For every block, all blocks after it, and the head for the base and for what is compressed.
    weights, blocks = model_weights(sizes, model), model["blocks"]
    tokens, head = profiled_tokens(model), sizes.vocabulary * sizes.hidden
    return Work(
        settings.model_start_s,
        flops=2.0 * tokens * blocks * (block_weights(sizes) * blocks / 2 + 2 * head),
        disk_bytes=2 * weights * DTYPE_BYTES[model.get("dtype", "bfloat16")],
    )


def _measure_sensitivity(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    choices, blocks = budget_choices(job.wildcards["model"], config), model["blocks"]
    # A block runs for the base, compressed in every way, and for each variant of a block before.
    runs = blocks * (1 + len(choices)) + len(choices) * blocks * (blocks - 1) / 2
    head = len(choices) * blocks * sizes.vocabulary * sizes.hidden
    tokens = sensitivity_tokens(model)
    read = model_weights(sizes, model) * DTYPE_BYTES[model.get("dtype", "bfloat16")]
    return Work(
        settings.model_start_s,
        flops=2.0 * tokens * (runs * block_weights(sizes) + head),
        disk_bytes=float(read * (1 + len(choices))),
    )


def _judge_responses(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    experiment = config["experiments"][job.wildcards["experiment"]]
    tasks = task_count(experiment["tasks"])
    # Without runs it is the gold set.
    wildcards = job.wildcards
    runs = (
        int(wildcards["last"]) - int(wildcards["first"]) + 1 if "last" in wildcards else GOLD_RUNS
    )
    steps = judge_of(experiment).sampling.max_new_tokens
    prompt = settings.prompt_tokens + sampling_of(experiment).max_new_tokens
    weights = model_weights(sizes, model)
    return Work(
        settings.model_start_s,
        flops=2.0 * weights * runs * tasks * (prompt + steps),
        memory_bytes=2.0 * weights * steps * -(-runs * tasks // settings.batch),
        disk_bytes=2.0 * weights,
        output_bytes=runs * tasks * steps * 5.0,
    )


def _export(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    # Read, restored to dense weights at 2 operations a weight and rank, and written.
    condition = config["conditions"].get(job.wildcards["condition"]) or {}
    how = MatrixSettings.model_validate(condition.get("compress") or {})
    weights = model_weights(sizes, model)
    size = float(weights * DTYPE_BYTES[model.get("dtype", "bfloat16")])
    return Work(
        settings.model_start_s,
        flops=2.0 * weights * (1 + how.rank),
        disk_bytes=2 * size,
        output_bytes=size,
    )


def _check_export(
    job: GraphJob, sizes: ModelSizes, model: dict[str, Any], config: Any, settings: PlanSettings
) -> Work:
    # Two models, twice: logits of the tokens compared, and as many tokens of continuations.
    weights = model_weights(sizes, model)
    passes = CHECKED_LENGTH + 1
    return Work(
        settings.model_start_s,
        flops=4 * 2.0 * weights * 2 * CHECKED_SEQUENCES * CHECKED_LENGTH,
        memory_bytes=4 * 4.0 * weights * passes,
        disk_bytes=4 * 2.0 * weights,
    )


def work_of(
    job: GraphJob,
    sizes: ModelSizes,
    model: Mapping[str, Any],
    config: Mapping[str, Any],
    settings: PlanSettings,
) -> Work:
    """Return what a job of a model of known sizes has to do."""
    return _WORK[job.rule](job, sizes, dict(model), config, settings)


_WORK = {
    "fetch_shard": _fetch_shard,
    "calibration_tokens": _calibration_tokens,
    "accumulate_hessians": _accumulate_hessians,
    "accumulate_passing_hessians": _accumulate_hessians,
    "foresee_errors": _foresee_errors,
    "compress_shard": _compress_shard,
    "sample_responses": _sample_responses,
    "measure_divergence": _measure_divergence,
    "profile_blocks": _profile_blocks,
    "measure_sensitivity": _measure_sensitivity,
    "judge_responses": _judge_responses,
    "judge_gold": _judge_responses,
    "export_dense": _export,
    "export_gguf": _export,
    "export_compressed_tensors": _export,
    "export_caldera": _export,
    "check_export": _check_export,
}
