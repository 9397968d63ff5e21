"""A whole model from tensors that arrive one by one, into a skeleton without memory."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import dispatch_model
from torch import nn
from transformers import GenerationConfig

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.number_format import number_format
from goodhart_gap.models.placement import DeviceMap, device_of, free_memory, spread
from goodhart_gap.models.skeleton import empty_model, read_config, weight_names
from goodhart_gap.models.streaming import WeightFile


def assemble_model(
    config: Path,
    weights: Iterable[tuple[Path, str, torch.Tensor]],
    dtype: str = "auto",
    device: str | torch.device | DeviceMap = "cpu",
    elsewhere: Collection[str] = (),
) -> Any:
    """Return the model of config.json with `weights` (file, name, tensor), in evaluation mode.

    `dtype` is a torch name, or `auto` (`number_format`): the one in config.json, unless a CPU is
    much slower in it. `device` is one device, a device map of accelerate's, or `auto`: one GPU if
    it can hold the weights, else several.
    Weights named in `elsewhere` stay on the meta device: the caller puts something in their place.
    generation_config.json is read from beside config.json where there is one. Raises GoodhartError
    when a weight is missing, given twice, misshapen, or none of the model's.
    """
    settings = read_config(config.parent)
    model = empty_model(settings, number_format(dtype, settings.dtype, device))
    device_map = _device_map(model, device)
    missing = weight_names(model) - set(elsewhere)
    for path, name, tensor in weights:
        if name not in missing:
            raise GoodhartError(
                f"{path}: {name} is no weight of the model in {config}, or another shard has it "
                "too; give each shard of one model once."
            )
        _place(model, name, tensor.to(device_of(device_map, name)), path)
        missing.discard(name)
    if missing:
        raise GoodhartError(
            f"{config}: no shard holds {min(missing)} (and {len(missing) - 1} more weights); give "
            "all shards of the model."
        )
    model.tie_weights()
    for part, module in model.named_modules():
        for name, buffer in module.named_buffers(recurse=False):
            module._buffers[name] = buffer.to(device_of(device_map, f"{part}.{name}"))
    if len(device_map) > 1:
        dispatch_model(model, dict(device_map), skip_keys="past_key_values")
    if (config.parent / "generation_config.json").exists():
        model.generation_config = GenerationConfig.from_pretrained(config.parent)
    return model


def _device_map(model: nn.Module, device: str | torch.device | DeviceMap) -> DeviceMap:
    if device == "auto":
        model.tie_weights()  # type: ignore[operator]  # tied weights belong on one device
        return spread(model, free_memory())
    return device if isinstance(device, Mapping) else {"": device}


def base_weights(shards: Sequence[Path]) -> Iterator[tuple[Path, str, torch.Tensor]]:
    """Yield the tensors of base shards, one at a time, with the file they are in."""
    for path in shards:
        with WeightFile(path) as weights:
            for name in sorted(weights.names):
                yield path, name, weights.read(name)


def _place(model: nn.Module, name: str, tensor: torch.Tensor, path: Path) -> None:
    """Put a weight in its place, in the dtype the model has there."""
    parent, _, key = name.rpartition(".")
    module = model.get_submodule(parent)
    empty = module.get_parameter(key)
    if tensor.shape != empty.shape:
        raise GoodhartError(
            f"{path}: {name} has shape {list(tensor.shape)}, but config.json implies "
            f"{list(empty.shape)}; configuration and shards do not belong together."
        )
    value = nn.Parameter(tensor.to(empty.dtype), requires_grad=False)
    module.register_parameter(key, value)
