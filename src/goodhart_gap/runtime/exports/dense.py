"""An ordinary checkpoint: every weight as Q + L R in the base's number format.

Written tensor by tensor into one file, so the memory needed is that of one module.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from goodhart_gap.files import read_json, write_json
from goodhart_gap.models.tensor_files import TensorFileWriter, read_header
from goodhart_gap.runtime.chosen import dense_weights

_HEADER_BYTES_EACH = 256

_NAMES = {
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.float32: "F32",
    torch.uint8: "U8",
    torch.int32: "I32",
    torch.int64: "I64",
}


def export_dense(shards: Sequence[Path], index: Path | None, weights: Path) -> None:
    """Write the dense weights of a checkpoint to the safetensors file `weights`."""
    count = len(shards) + sum(len(read_header(path).tensors) for path in shards)
    write_tensors(
        weights, ((name, tensor) for _, name, tensor in dense_weights(shards, index)), count
    )


def write_tensors(
    path: Path,
    tensors: Iterable[tuple[str, torch.Tensor]],
    at_most: int,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write (name, tensor) pairs, `at_most` so many, as they come."""
    metadata = {"format": "pt"} | dict(metadata or {})
    # Quotes in metadata are escaped, which takes a byte each.
    own_bytes = 2 * sum(len(key) + len(value) for key, value in metadata.items())
    header_bytes = 1024 + own_bytes + _HEADER_BYTES_EACH * at_most
    with TensorFileWriter(path, -(-header_bytes // 8) * 8) as writer:
        writer.metadata.update(metadata)
        for name, tensor in tensors:
            raw = tensor.contiguous().view(-1).view(torch.uint8).numpy().data
            writer.add(name, _NAMES[tensor.dtype], list(tensor.shape), raw)


def write_config(base_config: Path, path: Path, quantization: dict[str, Any] | None = None) -> None:
    """Write the base's config.json with another `quantization_config`, or none."""
    config = read_json(base_config)
    config.pop("quantization_config", None)
    if quantization is not None:
        config["quantization_config"] = quantization
    write_json(path, config)
