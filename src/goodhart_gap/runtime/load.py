"""From base and compressed shards to a transformers model with dense weights.

    model = load_model(
        config=base / "config.json",
        fingerprint=base / "fingerprint.json",
        shards=[base / "embeddings.safetensors", condition / "blocks000-029.safetensors"],
    )

The baseline is the same with the base's own block shards. A compressed shard is dequantized once,
module by module, into a model that starts out without memory for its weights, so the dense base is
never held beside its compressed form.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import GenerationConfig

from goodhart_gap.compression.format import ShardReader, read_shard
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json
from goodhart_gap.models.skeleton import empty_model, read_config, weight_names
from goodhart_gap.models.tensor_files import read_header


def load_model(
    config: Path,
    fingerprint: Path,
    shards: Sequence[Path],
    dtype: str | None = None,
    device: str | torch.device = "cpu",
) -> Any:
    """Return the model made of `shards`, in evaluation mode.

    `config` is the base's config.json, with generation_config.json beside it where there is one;
    `fingerprint` the base's fingerprint.json; `shards` cover every weight once, compressed or not;
    `dtype` a torch name, by default the base's.

    Raises GoodhartError when a compressed shard was made from another base (both fingerprints are
    named), and when a weight is missing, given twice, or none of the model's.
    """
    model = empty_model(read_config(config.parent), getattr(torch, dtype) if dtype else None)
    base_shards = read_json(fingerprint)["shards"]
    missing = weight_names(model)
    for path in shards:
        check_base(path, base_shards, fingerprint)
        for name, tensor in read_shard(path):
            if name not in missing:
                raise GoodhartError(
                    f"{path}: {name} is no weight of the model in {config}, or another shard has it "
                    "too; give each shard of one model once."
                )
            _place(model, name, tensor.to(device))
            missing.discard(name)
    if missing:
        raise GoodhartError(
            f"{config}: no shard holds {min(missing)} (and {len(missing) - 1} more weights); give "
            "all shards of the model."
        )
    model.tie_weights()
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            module._buffers[name] = buffer.to(device)
    if (config.parent / "generation_config.json").exists():
        model.generation_config = GenerationConfig.from_pretrained(config.parent)
    return model


def check_base(path: Path, base_shards: Mapping[str, Any], fingerprint: Path) -> None:
    """Raise GoodhartError when `path` is a compressed shard of another base."""
    if "caldera" not in read_header(path).metadata:
        return
    with ShardReader(path) as reader:
        shard, made_from = reader.record.shard, reader.record.base_fingerprint
    expected = base_shards.get(shard, {}).get("fingerprint")
    if made_from != expected:
        raise GoodhartError(
            f"{path}: was compressed from a base whose {shard} has fingerprint {made_from}, but "
            f"{fingerprint} has {expected}; compress this base, or load the other one."
        )


def _place(model: nn.Module, name: str, tensor: torch.Tensor) -> None:
    """Put a weight in its place, in the dtype the model has there."""
    parent, _, key = name.rpartition(".")
    module = model.get_submodule(parent)
    empty = module.get_parameter(key)
    if tensor.shape != empty.shape:
        raise GoodhartError(
            f"{name}: has shape {list(tensor.shape)}, but the model's config.json implies "
            f"{list(empty.shape)}; config and shards do not belong together."
        )
    value = nn.Parameter(tensor.to(empty.dtype), requires_grad=False)
    module.register_parameter(key, value)
