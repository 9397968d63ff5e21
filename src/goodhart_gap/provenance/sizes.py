"""How much there is of everything (weights, bytes, tokens, tasks), from config and sizes alone.

Symbols and formulas as in `goodhart_gap.provenance.workload`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from goodhart_gap.calibration.settings import CalibrationSettings
from goodhart_gap.compression.accounting import stored_bytes
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.reuse import BASE
from goodhart_gap.compression.settings import FORESEEN
from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.judge_settings import JudgeSettings
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.provenance.settings import ModelSizes
from goodhart_gap.runtime.settings import ProfileSettings

DTYPE_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}

CHECKED_SEQUENCES, CHECKED_LENGTH = 4, 64
"""Tokens on which an export is compared with ours (scripts/check_export.py)."""

_JUDGE_RULES = ("judge_responses", "judge_gold")

_SHARD = re.compile(r"blocks(\d+)-(\d+)")


def model_of(rule: str, wildcards: Mapping[str, str], config: Mapping[str, Any]) -> str | None:
    """Return the name of the model that a job works on, None for none.

    A judge's job works on the judge's model; on none where the judge is an API.
    """
    if "model" in wildcards:
        return wildcards["model"]
    experiment = config.get("experiments", {}).get(wildcards.get("experiment", ""), {})
    if rule in _JUDGE_RULES:
        return judge_of(experiment).model
    name: str | None = experiment.get("model")
    return name


def judge_of(experiment: Mapping[str, Any]) -> JudgeSettings:
    """Return the judge of an experiment of the config, which must have one."""
    return JudgeSettings.model_validate(experiment["grading"]["judge"])


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


def sensitivity_tokens(model: Mapping[str, Any]) -> int:
    """Return the most tokens on which blocks are compressed in turn: whole sequences."""
    length = calibration_of(model).sequence_length
    return max(1, model.get("sensitivity_tokens", 512) // length) * length


def budget_choices(model: str, config: Mapping[str, Any]) -> list[str]:
    """Return the conditions that are compressed so that budgets of a model can choose of them."""
    named = {
        condition
        for experiment in config["experiments"].values()
        if experiment.get("model") == model
        for condition in experiment.get("conditions", ())
    }
    budgets = [(config["conditions"].get(name) or {}).get("budget") for name in named]
    measured = [budget for budget in budgets if budget and budget.get("loss") != FORESEEN]
    choices = {choice for budget in measured for choice in budget["choices"]}
    return sorted(choices - {BASE})


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
