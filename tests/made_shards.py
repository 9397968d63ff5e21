"""Compressed shards of tiny models, made without calibration: every Hessian is the identity."""

from pathlib import Path

import torch

from goodhart_gap.compression.allocation import module_shapes
from goodhart_gap.compression.format import ModuleRecord, ShardWriter, read_shard, stored_tensors
from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.files import read_json

FIDELITY = {
    "relative_error": 0.1,
    "weighted_error": 0.1,
    "held_out_error": 0.1,
    "correlation": 0.95,
}
"""Stands in every record."""


def write_compressed(base: Path, folder: Path, settings: MatrixSettings) -> list[Path]:
    """Compress every block shard of `base` into `folder`; return the files."""
    folder.mkdir()
    known = read_json(base / "fingerprint.json")["shards"]
    shapes = module_shapes(known.values())
    written = []
    for shard in sorted(set(known) - {"embeddings"}):
        writer = ShardWriter(shard, known[shard]["fingerprint"], "bfloat16")
        for tensor, value in read_shard(base / f"{shard}.safetensors"):
            module = tensor.removesuffix(".weight")
            if module not in shapes:
                writer.add_plain(tensor, value)
                continue
            metric = Metric(torch.eye(value.shape[1]), 0.01)
            made = compress_matrix(value.float(), metric, settings, module)
            record = ModuleRecord(
                shape=tuple(value.shape), rank=0, settings=settings, fidelity=FIDELITY
            )
            writer.add_module(module, stored_tensors(made), record)
        written.append(folder / f"{shard}.safetensors")
        writer.write(written[-1])
    return written
