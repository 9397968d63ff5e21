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
from goodhart_gap.compression.matrix_settings import MatrixSettings
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
    """Bits of all tensors for each parameter of everything, embeddings included."""


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
    rows: list[dict[str, Any]] = []
    shapes = shapes_of(base)
    weight_map = {
        name: os.path.relpath(embeddings, folder) for name in read_header(embeddings).tensors
    }
    total_bytes, total_parameters = tensor_bytes(embeddings), parameters_of(base, "embeddings")
    for path in shards:
        shard, found = checked_rows(path, base, shapes, allocation)
        rows += found
        names = list(base["shards"][shard]["tensors"])
        weight_map.update(dict.fromkeys(names, os.path.relpath(path, folder)))
        total_bytes += tensor_bytes(path)
        total_parameters += parameters_of(base, shard)
    _check_complete(rows, allocation)
    check_floor(rows, minimum_correlation)
    linear_bytes = sum(row["bytes"] for row in rows)
    linear_parameters = sum(row["parameters"] for row in rows)
    return Checkpoint(
        rows=rows,
        weight_map=weight_map,
        linear_bits=8 * linear_bytes / linear_parameters,
        model_bits=8 * total_bytes / total_parameters,
    )


def tensor_bytes(path: Path) -> int:
    """Bytes of the tensors of a file, without its header."""
    return path.stat().st_size - read_header(path).start


def shapes_of(base: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """{module: (outputs, inputs)} of a model, from its fingerprint record."""
    shapes: dict[str, tuple[int, int]] = {}
    for record in base["shards"].values():
        shapes.update(linear_shapes(record))
    return shapes


def checked_rows(
    path: Path,
    base: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, int]],
    allocation: Mapping[str, MatrixSettings | None],
) -> tuple[str, list[dict[str, Any]]]:
    """Name and rows of fidelity.csv of a compressed shard that passes all checks but the floor."""
    header = read_header(path)
    record = _record(path, header)
    _check_base(path, record, base)
    rows = _rows(path, header, record, shapes, allocation)
    _check_bytes(path, header, rows)
    return str(record["shard"]), rows


def check_floor(rows: Sequence[Mapping[str, Any]], minimum_correlation: float) -> None:
    """Raise GoodhartError for a module whose correlation with its base is under the floor."""
    for row in rows:
        # Not `<`: a correlation that is not a number is under any floor.
        if not row["correlation"] >= minimum_correlation:
            raise GoodhartError(
                f"{row['module']}: its reconstruction correlates {row['correlation']:.4f} with the "
                f"base weight, under minimum_correlation {minimum_correlation}; give it more bits "
                "or protect it."
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
        if settings is None:
            rows.append(plain_row(module, record["shard"], header, shapes))
            continue
        described: dict[str, Any] = settings.model_dump(
            include={"method", "codebook", "bits", "group_size", "factor_bits"}
        )
        described["rank"] = effective_rank(shapes[module], settings)
        size = stored_bytes(shapes[module], settings)
        rows.append(
            _row(module, record["shard"], shapes, size, {**described, **stored["fidelity"]})
        )
    return rows


def plain_row(
    module: str, shard: str, header: Header, shapes: Mapping[str, tuple[int, int]]
) -> dict[str, Any]:
    """Row of fidelity.csv of a module that `header`'s file holds as it is in the base."""
    exact = dict.fromkeys(("relative_error", "weighted_error", "held_out_error"), 0.0)
    size = _size(header, f"{module}.weight")
    return _row(module, shard, shapes, size, {"protected": True, **exact, "correlation": 1.0})


def _row(
    module: str,
    shard: str,
    shapes: Mapping[str, tuple[int, int]],
    size_bytes: int,
    measured: Mapping[str, Any],
) -> dict[str, Any]:
    parameters = shapes[module][0] * shapes[module][1]
    row = {
        "module": module,
        "block": block_of(module),
        "shard": shard,
        "protected": False,
        "parameters": parameters,
        "bytes": size_bytes,
        "bits_per_parameter": round(8 * size_bytes / parameters, 4),
        **measured,
    }
    return {column: row.get(column) for column in FIDELITY_COLUMNS}


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
    on_disk = tensor_bytes(path)
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


def parameters_of(base: Mapping[str, Any], shard: str) -> int:
    """Count the weights of a base shard."""
    total = 0
    for entry in base["shards"][shard]["tensors"].values():
        count = 1
        for length in entry["shape"]:
            count *= length
        total += count
    return total
