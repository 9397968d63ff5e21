"""Put a compressed layer in the place of a model's linear layer."""

from collections.abc import Mapping

import torch
from torch import nn

from goodhart_gap.errors import GoodhartError
from goodhart_gap.runtime.linear import CalderaLinear
from goodhart_gap.runtime.packed_shard import PackedShard


def replace_linear(
    model: nn.Module, module: str, shard: PackedShard, parts: Mapping[str, torch.Tensor]
) -> CalderaLinear:
    """Put a `CalderaLinear` of `parts` in the place of the linear layer `module`, and return it.

    Raises GoodhartError when the model has no linear layer of that name and shape.
    """
    record = shard.record.modules[module]
    try:
        old = model.get_submodule(module)
    except AttributeError:
        old = None
    if not isinstance(old, nn.Linear) or old.weight.shape != record.shape:
        raise GoodhartError(
            f"{shard.path}: {module} {list(record.shape)} is no linear layer of the model that "
            "config.json describes; configuration and shards do not belong together."
        )
    layer = CalderaLinear(record, parts, old.bias)
    put(model, module, layer)
    return layer


def put(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` in the place called `name`."""
    parent, _, key = name.rpartition(".")
    model.get_submodule(parent).register_module(key, module)
