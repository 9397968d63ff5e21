"""A safetensors file whose bytes follow from its content.

safetensors keeps a file's own strings in a hash map and writes them in another order each time, so
that a shard made again would have another hash, and everything made from it would be out of date.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from goodhart_gap.models.tensor_files import LENGTH


def save_steady(
    tensors: Mapping[str, torch.Tensor], path: Path, metadata: Mapping[str, str]
) -> None:
    """Write `tensors` and `metadata` to `path`; the same content gives the same bytes.

    Atomic only if the caller renames the file.
    """
    save_file(dict(tensors), path, metadata=dict(metadata))
    with path.open("r+b") as handle:
        (length,) = LENGTH.unpack(handle.read(LENGTH.size))
        header = json.loads(handle.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) > length:
            raise ValueError(f"{path}: header sorted takes {len(text)} bytes, was {length}")
        handle.seek(LENGTH.size)
        handle.write(text.ljust(length))
