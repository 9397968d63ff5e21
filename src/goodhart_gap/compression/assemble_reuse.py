"""Join a checkpoint from shards of other conditions and of the base. Needs no torch."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from goodhart_gap.compression.assemble import (
    Checkpoint,
    check_floor,
    checked_rows,
    parameters_of,
    plain_row,
    shapes_of,
    tensor_bytes,
)
from goodhart_gap.compression.reuse import BASE, by_origin, needed
from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.shards import EMBEDDINGS
from goodhart_gap.models.tensor_files import Header, read_header


def assemble_reused(
    shards: Sequence[Path],
    embeddings: Path,
    folder: Path,
    base: Mapping[str, Any],
    origins: Mapping[str, str],
    allocations: Mapping[str, Mapping[str, MatrixSettings | None]],
    minimum_correlation: float,
) -> tuple[Checkpoint, int]:
    """Check the shards, each against its own condition's allocation, and join what is taken.

    `shards` lie in the folders of their conditions, or in `base`; `origins` says which condition
    each module is taken from; `folder` is where the checkpoint lies. Returns the checkpoint and the
    bytes of its tensors. Raises GoodhartError as `goodhart_gap.compression.assemble` does, and for
    a base shard whose tensors are not those of the fingerprint record.
    """
    files = by_origin(shards)
    shapes = shapes_of(base)
    headers = {path: read_header(path) for path in shards}
    known: dict[Path, dict[str, dict[str, Any]]] = {}
    for (origin, shard), path in files.items():
        if origin == BASE:
            _check_base_shard(path, headers[path], base, shard)
            known[path] = {}
        else:
            _, rows = checked_rows(path, base, shapes, allocations[origin])
            known[path] = {row["module"]: row for row in rows}
    rows, total_bytes = [], tensor_bytes(embeddings)
    weight_map = dict.fromkeys(read_header(embeddings).tensors, os.path.relpath(embeddings, folder))
    for shard, record in base["shards"].items():
        if shard == EMBEDDINGS:
            continue
        for name, path in needed(list(record["tensors"]), origins, shard, files).items():
            weight_map[name] = os.path.relpath(path, folder)
            module = name.removesuffix(".weight")
            if module != name and module in origins:
                row = known[path].get(module) or plain_row(module, shard, headers[path], shapes)
                rows.append(row)
                total_bytes += row["bytes"]
            else:
                first, last = headers[path].tensors[name]["data_offsets"]
                total_bytes += last - first
    missing = sorted(set(origins) - {row["module"] for row in rows})
    if missing:
        raise GoodhartError(f"{missing[0]}: allocated, but in none of the shards; run again.")
    check_floor(rows, minimum_correlation)
    parameters = sum(parameters_of(base, shard) for shard in base["shards"])
    linear_bytes = sum(row["bytes"] for row in rows)
    linear_parameters = sum(row["parameters"] for row in rows)
    checkpoint = Checkpoint(
        rows=rows,
        weight_map=weight_map,
        linear_bits=8 * linear_bytes / linear_parameters,
        model_bits=8 * total_bytes / parameters,
    )
    return checkpoint, total_bytes


def _check_base_shard(path: Path, header: Header, base: Mapping[str, Any], shard: str) -> None:
    """A base shard is the fetched one if it has its tensors: its bytes were hashed then."""
    expected = base["shards"].get(shard, {}).get("tensors", {})
    found = {name: (entry["dtype"], entry["shape"]) for name, entry in header.tensors.items()}
    if found != {name: (entry["dtype"], entry["shape"]) for name, entry in expected.items()}:
        raise GoodhartError(
            f"{path}: not the base shard {shard} of the fingerprint; fetch the shard again."
        )
