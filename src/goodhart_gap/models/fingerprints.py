"""Fingerprints: what the weights of a base checkpoint are, tensor by tensor. Needs no torch.

A tensor's fingerprint is the SHA-256 of its bytes as stored. A shard's is the SHA-256 of its
sorted lines "name dtype shape sha256"; a checkpoint's the same over its shards' lines. So the same
weights have the same fingerprint wherever they came from, and one changed bit changes it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json
from goodhart_gap.models.shards import block_of
from goodhart_gap.models.tensor_files import read_header

_CHUNK_BYTES = 1 << 24


def fingerprint_shard(path: Path, shard: str) -> dict[str, Any]:
    """Return the fingerprint record of a safetensors file: what {shard}.fingerprint.json holds."""
    header = read_header(path)
    tensors = {}
    with path.open("rb") as handle:
        for name, entry in sorted(header.tensors.items()):
            first, last = entry["data_offsets"]
            tensors[name] = {
                "sha256": _sha256_of_range(handle, header.start + first, last - first),
                "dtype": entry["dtype"],
                "shape": entry["shape"],
            }
    return {"shard": shard, "fingerprint": _digest(_lines(tensors)), "tensors": tensors}


def fingerprint_model(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fingerprint record of a checkpoint from those of its shards."""
    shards = {
        record["shard"]: {"fingerprint": record["fingerprint"], "tensors": record["tensors"]}
        for record in records
    }
    lines = [f"{shard} {record['fingerprint']}" for shard, record in shards.items()]
    return {"fingerprint": _digest(lines), "shards": shards}


def read_shard_fingerprint(path: Path) -> str:
    """Return the fingerprint in a {shard}.fingerprint.json. Raises GoodhartError without one."""
    try:
        return str(read_json(path)["fingerprint"])
    except (KeyError, TypeError) as error:
        raise GoodhartError(f"{path}: has no `fingerprint`; delete it and run again.") from error


def linear_shapes(record: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Return {module: (outputs, inputs)} of the blocks' linear layers in a shard's record.

    `models.anatomy` has made sure at fetch time that every matrix in a block belongs to one.
    """
    return {
        name.removesuffix(".weight"): (entry["shape"][0], entry["shape"][1])
        for name, entry in record["tensors"].items()
        if block_of(name) is not None and len(entry["shape"]) == 2
    }


def _lines(tensors: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"{name} {entry['dtype']} {'x'.join(map(str, entry['shape']))} {entry['sha256']}"
        for name, entry in tensors.items()
    ]


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _sha256_of_range(handle: Any, start: int, length: int) -> str:
    digest = hashlib.sha256()
    handle.seek(start)
    while length:
        chunk = handle.read(min(length, _CHUNK_BYTES))
        digest.update(chunk)
        length -= len(chunk)
    return digest.hexdigest()
