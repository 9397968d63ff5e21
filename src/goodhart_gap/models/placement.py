"""Where a model's weights go: one device, or several through accelerate.

    device_map = spread(model, free_bytes={0: 80e9, 1: 80e9})
    place = device_of(device_map, "model.layers.3.mlp.up_proj.weight")

A model that one GPU can hold is put there: spreading a small one only adds copies between devices.
"""

from collections.abc import Mapping
from typing import Any

import torch
from accelerate import infer_auto_device_map
from accelerate.utils import get_balanced_memory

from goodhart_gap.errors import GoodhartError

DeviceMap = Mapping[str, Any]
"""Device of each part of a model by the part's dotted name, as accelerate writes it."""

_SHARE_FOR_WEIGHTS = 0.7
"""Of a GPU's free memory; the rest is for keys, values and activations."""


def free_memory() -> dict[int, int]:
    """Return the free bytes of every visible GPU."""
    return {gpu: torch.cuda.mem_get_info(gpu)[0] for gpu in range(torch.cuda.device_count())}


def spread(model: Any, free_bytes: Mapping[int, float]) -> DeviceMap:
    """Return a device map over GPUs of which `free_bytes` are free: one GPU where that is enough.

    Blocks stay whole. Raises GoodhartError when the GPUs together cannot hold the weights.
    """
    room = {gpu: int(_SHARE_FOR_WEIGHTS * free) for gpu, free in free_bytes.items()}
    needed = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    roomy = max(room, key=lambda gpu: room[gpu])
    if needed <= room[roomy]:
        return {"": roomy}
    whole = list(model._no_split_modules or [])
    balanced = get_balanced_memory(model, max_memory=room, no_split_module_classes=whole)
    found = infer_auto_device_map(model, max_memory=balanced, no_split_module_classes=whole)
    homeless = sorted(part for part, device in found.items() if device not in room)
    if homeless:
        raise GoodhartError(
            f"GPU memory: the weights take {needed / 1e9:.0f} GB, but {len(room)} GPUs have only "
            f"{sum(room.values()) / 1e9:.0f} GB for them ({homeless[0]} finds no place); "
            "use more or larger GPUs."
        )
    return dict(found)


def device_of(device_map: DeviceMap, name: str) -> Any:
    """Return the device of the weight or buffer `name`: that of the longest part it belongs to."""
    part = name
    while part not in device_map:
        if not part:
            raise GoodhartError(f"device map: {name} belongs to none of its parts; add one.")
        part = part.rpartition(".")[0]
    return device_map[part]
