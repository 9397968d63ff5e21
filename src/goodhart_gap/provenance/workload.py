"""What a job has to do, from sizes alone: operations, bytes over the network, bytes of output.

Weight matrices of a block (h hidden, q queries, k keys, i intermediate): q/o h x q, k/v h x k,
gate/up/down h x i. A matrix of m rows and n columns costs to compress

    n^3 / 3                      Cholesky factor of its Hessian
    + iterations (2 m n^2        error feedback, column by column
    + 8 m n r)                   low-rank fit of rank r

and its Hessian 2 t n^2 for t tokens. A forward pass costs 2 operations a weight and token.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from goodhart_gap.calibration.settings import CalibrationSettings
from goodhart_gap.compression.accounting import stored_bytes
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.provenance.graph import Graph, GraphJob
from goodhart_gap.provenance.settings import ModelSizes, PlanSettings
from goodhart_gap.runtime.settings import ProfileSettings

DTYPE_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
_SHARD = re.compile(r"blocks(\d+)-(\d+)")


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
        if "model" in job.wildcards:
            return job.wildcards["model"]
        experiment = self._config.get("experiments", {}).get(job.wildcards.get("experiment"), {})
        return experiment.get("model")

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


def fetched_sizes(results: Path, model: str) -> ModelSizes | None:
    """Return the sizes of a model whose config.json is in `results` already, else None."""
    path = results / "models" / model / "base" / "config.json"
    return sizes_of(json.loads(path.read_text())) if path.exists() else None


def sizes_of(config: dict[str, Any]) -> ModelSizes:
    """Return the sizes that a model's config.json tells."""
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    return ModelSizes(
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        queries=heads * size,
        keys=config.get("num_key_value_heads", heads) * size,
        vocabulary=config["vocab_size"],
        tied=config.get("tie_word_embeddings", False),
    )


def matrices(sizes: ModelSizes) -> Iterator[tuple[int, int]]:
    """Yield rows and columns of each weight matrix of a block."""
    hidden = sizes.hidden
    yield from ((sizes.queries, hidden), (sizes.keys, hidden), (sizes.keys, hidden))
    yield (hidden, sizes.queries)
    yield from ((sizes.intermediate, hidden), (sizes.intermediate, hidden))
    yield (hidden, sizes.intermediate)


def block_weights(sizes: ModelSizes) -> int:
    """Return the number of weights of a block's matrices."""
    return sum(rows * columns for rows, columns in matrices(sizes))


def embedding_weights(sizes: ModelSizes) -> int:
    """Return the number of weights of embedding and head."""
    return sizes.vocabulary * sizes.hidden * (1 if sizes.tied else 2)


def packed_bytes(sizes: ModelSizes, how: dict[str, Any]) -> int:
    """Return the bytes of a block's matrices compressed as `how` (a `compress` section) says."""
    settings = MatrixSettings.model_validate(how)
    return sum(stored_bytes(shape, settings) for shape in matrices(sizes))


def compressed_bytes(
    sizes: ModelSizes, model: Mapping[str, Any], condition: Mapping[str, Any], blocks: range
) -> float:
    """Return the bytes of these blocks under a condition; protected blocks stay as they are."""
    how, protect = condition.get("compress"), condition.get("protect") or {}
    whole = block_weights(sizes) * DTYPE_BYTES[model.get("dtype", "bfloat16")]
    if how is None:
        return float(whole * len(blocks))
    packed = packed_bytes(sizes, how)
    last = model["blocks"] - protect.get("last", 0)
    kept = [
        block < protect.get("first", 0) or block >= last or block in protect.get("blocks", ())
        for block in blocks
    ]
    return float(sum(whole if each else packed for each in kept))


def block_range_of(shard: str) -> range:
    """Return the blocks of a shard, by its name; none for the embeddings."""
    match = _SHARD.fullmatch(shard)
    return range(int(match[1]), int(match[2]) + 1) if match else range(0)


def blocks_of(shard: str) -> int:
    """Return how many blocks a shard holds, by its name; 0 for the embeddings."""
    return len(block_range_of(shard))


def model_weights(sizes: ModelSizes, model: dict[str, Any]) -> int:
    """Return the number of weights of the whole model."""
    return model["blocks"] * block_weights(sizes) + embedding_weights(sizes)


def calibration_of(model: Mapping[str, Any]) -> CalibrationSettings:
    """Return how a model of the config is calibrated."""
    return CalibrationSettings.model_validate(model.get("calibration") or {})


def calibration_tokens(model: Mapping[str, Any]) -> int:
    """Return the number of calibration tokens."""
    calibration = calibration_of(model)
    return calibration.sequences * calibration.sequence_length


def profiled_tokens(model: Mapping[str, Any]) -> int:
    """Return the number of tokens on which the blocks of a model are profiled."""
    profile = ProfileSettings.model_validate(model.get("profile") or {})
    return profile.sequences * calibration_of(model).sequence_length


def sampling_of(experiment: Mapping[str, Any]) -> SamplingSettings:
    """Return how an experiment of the config draws its responses."""
    return SamplingSettings.model_validate(experiment.get("sampling") or {})


def task_count(tasks: str) -> int:
    """Return the number of tasks of a set given by name or by path.

    Raises GoodhartError for a file that is not there or not a task set.
    """
    from goodhart_gap.config.load import task_file

    return _tasks_in(task_file(tasks).resolve())


@cache
def _tasks_in(path: Path) -> int:
    """Count once: generating a set takes longer than all that is asked about a job."""
    from goodhart_gap.evaluation.task_sets import read_task_set

    if not path.is_file():
        raise GoodhartError(f"{path}: there is no such task set; correct `tasks`.")
    return len(read_task_set(path))


def activation_bytes(sizes: ModelSizes, model: Mapping[str, Any]) -> int:
    """Return the bytes of the calibration tokens' hidden states.

    They are in the dtype of the model on GPUs, and at most in float32 elsewhere: a CPU may compute
    in it (`goodhart_gap.models.number_format`).
    """
    dtype = model.get("dtype", "bfloat16") if model.get("gpus") else "float32"
    size = DTYPE_BYTES[dtype]
    return calibration_tokens(model) * sizes.hidden * size


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
    # For every block, all blocks after it, and the head.
    weights, blocks = model_weights(sizes, model), model["blocks"]
    tokens = profiled_tokens(model)
    return Work(
        settings.model_start_s,
        flops=2 * weights * tokens * blocks / 2,
        disk_bytes=2 * weights * DTYPE_BYTES[model.get("dtype", "bfloat16")],
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
    "compress_shard": _compress_shard,
    "sample_responses": _sample_responses,
    "measure_divergence": _measure_divergence,
    "profile_blocks": _profile_blocks,
}
