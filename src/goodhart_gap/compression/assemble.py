"""Join compressed shards to a checkpoint: index, config, fidelity table. Needs no torch.

Everything is read from the shards' headers, so assembling 72B takes seconds.
"""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goodhart_gap.compression.accounting import effective_rank, stored_bytes
from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import completed, read_json, write_json
from goodhart_gap.models.fingerprints import linear_shapes
from goodhart_gap.models.shards import block_of
from goodhart_gap.models.tensor_files import Header, read_header

ACCOUNTING_TOLERANCE = 0.01
"""Largest share by which counted bytes and bytes on disk may differ."""

FIDELITY_COLUMNS = (
    "module",
    "block",
    "shard",
    "protected",
    "method",
    "codebook",
    "bits",
    "group_size",
    "rank",
    "factor_bits",
    "parameters",
    "bytes",
    "bits_per_parameter",
    "relative_error",
    "weighted_error",
    "held_out_error",
    "correlation",
)


@dataclass(frozen=True)
class Checkpoint:
    """A compressed checkpoint on its way together."""

    rows: list[dict[str, Any]]
    """One row of fidelity.csv for each module."""

    weight_map: dict[str, str]
    """State-dict name -> file, relative to the checkpoint's folder."""

    linear_bits: float
    """Bits for each parameter of the blocks' linear layers, protected ones included."""

    model_bits: float
    """Bits for each parameter of everything, embeddings included."""


def assemble(
    shards: Sequence[Path],
    embeddings: Path,
    folder: Path,
    base: Mapping[str, Any],
    allocation: Mapping[str, MatrixSettings | None],
    minimum_correlation: float,
) -> Checkpoint:
    """Check all shards against the base's fingerprint record and the allocation, and join them.

    `folder` is where the checkpoint lies. Raises GoodhartError, naming shard and module, for a
    shard of another base, a module that is missing or has other settings than allocated, one whose
    correlation is under `minimum_correlation`, or bytes that do not add up.
    """
    shapes: dict[str, tuple[int, int]] = {}
    for record in base["shards"].values():
        shapes.update(linear_shapes(record))
    rows: list[dict[str, Any]] = []
    weight_map = {
        name: os.path.relpath(embeddings, folder) for name in read_header(embeddings).tensors
    }
    total_bytes, total_parameters = embeddings.stat().st_size, _parameters(base, "embeddings")
    for path in shards:
        header = read_header(path)
        record = _record(path, header)
        _check_base(path, record, base)
        found = _rows(path, header, record, shapes, allocation)
        _check_bytes(path, header, found)
        rows += found
        names = list(base["shards"][record["shard"]]["tensors"])
        weight_map.update(dict.fromkeys(names, os.path.relpath(path, folder)))
        total_bytes += path.stat().st_size
        total_parameters += _parameters(base, record["shard"])
    _check_complete(rows, allocation)
    for row in rows:
        if row["correlation"] < minimum_correlation:
            raise GoodhartError(
                f"{row['module']}: its reconstruction correlates {row['correlation']:.4f} with the "
                f"base weight, under minimum_correlation {minimum_correlation}; give it more bits "
                "or protect it."
            )
    linear_bytes = sum(row["bytes"] for row in rows)
    linear_parameters = sum(row["parameters"] for row in rows)
    return Checkpoint(
        rows=rows,
        weight_map=weight_map,
        linear_bits=8 * linear_bytes / linear_parameters,
        model_bits=8 * total_bytes / total_parameters,
    )


def write_fidelity(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write fidelity.csv, one row a module."""
    with completed(path) as partial, partial.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, FIDELITY_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_index(path: Path, checkpoint: Checkpoint, total_bytes: int) -> None:
    """Write model.safetensors.index.json, in the layout transformers reads."""
    content = {
        "metadata": {"total_size": total_bytes},
        "weight_map": dict(sorted(checkpoint.weight_map.items())),
    }
    write_json(path, content)


def write_config(
    path: Path, base_config: Path, checkpoint: Checkpoint, condition: str, fingerprint: str
) -> None:
    """Write config.json: the base's, plus how the weights are stored."""
    config = read_json(base_config)
    config["quantization_config"] = {
        "quant_method": "caldera",
        "format_version": 1,
        "condition": condition,
        "base_fingerprint": fingerprint,
        "bits_per_parameter": round(checkpoint.linear_bits, 4),
        "bits_per_parameter_with_embeddings": round(checkpoint.model_bits, 4),
        "modules_to_not_convert": [row["module"] for row in checkpoint.rows if row["protected"]],
    }
    write_json(path, config)


def _rows(
    path: Path,
    header: Header,
    record: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, int]],
    allocation: Mapping[str, MatrixSettings | None],
) -> list[dict[str, Any]]:
    """Rows of fidelity.csv for the modules of one shard."""
    rows = []
    modules = [module for module in shapes if _in_shard(module, header, record)]
    for module in modules:
        settings = allocation.get(module)
        stored = record["modules"].get(module)
        if (stored is None) != (settings is None) or (
            stored is not None and MatrixSettings.model_validate(stored["settings"]) != settings
        ):
            raise GoodhartError(
                f"{path}: {module} is not stored as allocated; delete the shard and run again."
            )
        parameters = shapes[module][0] * shapes[module][1]
        if settings is None:
            size = _size(header, f"{module}.weight")
            fidelity = dict.fromkeys(("relative_error", "weighted_error", "held_out_error"), 0.0)
            fidelity["correlation"] = 1.0
            described: dict[str, Any] = {"method": None}
        else:
            size = stored_bytes(shapes[module], settings)
            fidelity = stored["fidelity"]
            described = settings.model_dump(
                include={"method", "codebook", "bits", "group_size", "factor_bits"}
            )
            described["rank"] = effective_rank(shapes[module], settings)
        row = {
            "module": module,
            "block": block_of(module),
            "shard": record["shard"],
            "protected": settings is None,
            "parameters": parameters,
            "bytes": size,
            "bits_per_parameter": round(8 * size / parameters, 4),
            **described,
            **fidelity,
        }
        rows.append({column: row.get(column) for column in FIDELITY_COLUMNS})
    return rows


def _in_shard(module: str, header: Header, record: Mapping[str, Any]) -> bool:
    return module in record["modules"] or f"{module}.weight" in header.tensors


def _size(header: Header, name: str) -> int:
    first, last = header.tensors[name]["data_offsets"]
    return int(last - first)


def _check_bytes(path: Path, header: Header, rows: Sequence[Mapping[str, Any]]) -> None:
    """The bytes counted for the modules and the rest must be those on disk."""
    modules = {row["module"] for row in rows}
    other = sum(
        _size(header, name)
        for name in header.tensors
        if not any(name.startswith(f"{module}.") for module in modules) or name.endswith(".bias")
    )
    counted = sum(row["bytes"] for row in rows) + other
    on_disk = path.stat().st_size - header.start
    if abs(counted - on_disk) > ACCOUNTING_TOLERANCE * on_disk:
        raise GoodhartError(
            f"{path}: {on_disk} bytes of tensors on disk, but the settings account for {counted}; "
            "delete the shard and run again."
        )


def _check_base(path: Path, record: Mapping[str, Any], base: Mapping[str, Any]) -> None:
    shard = record["shard"]
    known = base["shards"].get(shard, {}).get("fingerprint")
    if record["base_fingerprint"] != known:
        raise GoodhartError(
            f"{path}: made from base shard {record['base_fingerprint']}, but {shard} of this base "
            f"is {known}; delete it and run again."
        )


def _check_complete(
    rows: Sequence[Mapping[str, Any]], allocation: Mapping[str, MatrixSettings | None]
) -> None:
    missing = sorted(set(allocation) - {row["module"] for row in rows})
    if missing:
        raise GoodhartError(f"{missing[0]}: allocated, but in none of the shards; run again.")


def _record(path: Path, header: Header) -> dict[str, Any]:
    if "caldera" not in header.metadata:
        raise GoodhartError(f"{path}: not a compressed shard; delete it and run again.")
    record: dict[str, Any] = json.loads(header.metadata["caldera"])
    return record


def _parameters(base: Mapping[str, Any], shard: str) -> int:
    total = 0
    for entry in base["shards"][shard]["tensors"].values():
        count = 1
        for length in entry["shape"]:
            count *= length
        total += count
    return total
