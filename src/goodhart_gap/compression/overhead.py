"""What a compressed shard takes beside its packed matrices: other tensors, and its header.

By arithmetic alone, before anything is compressed, so that a budget can be kept to the byte that is
on disk. Numbers of unknown length are taken at their longest; needs no torch.
"""

import json
from collections.abc import Mapping
from typing import Any

from goodhart_gap.compression.accounting import effective_rank
from goodhart_gap.compression.matrix_settings import MatrixSettings

_ELEMENT_BYTES = {"BF16": 2, "F16": 2, "F32": 4}

_LONGEST_MEASURE = 1.23456e-05
"""As long in JSON as any measure of fidelity gets: six digits and an exponent."""

_MEASURES = ("relative_error", "weighted_error", "held_out_error", "correlation")

_ENTRY = '"":{"dtype":"BF16","shape":[,],"data_offsets":[,]},'
_DIGITS = 12
"""Digits of a byte's place in a shard."""

SHARD_BYTES = 512
"""Of a header, what belongs to no module: its own length, format, fingerprint."""


def tensor_bytes(entry: Mapping[str, Any]) -> int:
    """Bytes of a tensor of the base, by its entry in a fingerprint record."""
    count = 1
    for length in entry["shape"]:
        count *= length
    return count * _ELEMENT_BYTES[entry["dtype"]]


def plain_bytes(name: str, entry: Mapping[str, Any]) -> int:
    """Bytes of a tensor that stays as it is, with its entry in the header."""
    return tensor_bytes(entry) + _entry_bytes(name, entry["shape"])


def module_header_bytes(module: str, shape: tuple[int, int], settings: MatrixSettings) -> int:
    """Bytes that the header spends on a compressed module."""
    rank = effective_rank(shape, settings)
    record = {
        module: {
            "shape": shape,
            "rank": rank,
            "settings": settings.model_dump(mode="json"),
            "fidelity": dict.fromkeys(_MEASURES, _LONGEST_MEASURE),
        }
    }
    text = json.dumps(record, separators=(",", ":"))
    # The record is a string inside JSON, so its quotation marks are escaped.
    total = len(text) + text.count('"')
    rows, columns = shape
    for part in _parts(settings, rank):
        longest = (max(rows, rank), max(rows, columns) * 8)
        total += _entry_bytes(f"{module}.{part}", longest)
    return total


def _parts(settings: MatrixSettings, rank: int) -> list[str]:
    """Names of the stored parts of a compressed module."""
    parts = ["codes", "scale" if settings.codebook != "scalar" else "scales"]
    if settings.codebook == "e8" and settings.bits > 2:
        parts.append("residual_codes")
    if settings.codebook == "scalar" and not settings.symmetric:
        parts.append("zeros")
    for side in ("left", "right") if rank else ():
        stored = ("values",) if settings.factor_bits == 16 else ("codes", "scales")
        parts += [f"{side}.{part}" for part in stored]
    return parts


def _entry_bytes(name: str, shape: Any) -> int:
    """Bytes of a tensor's entry in the header."""
    return len(_ENTRY) + len(name) + sum(len(str(length)) for length in shape) + 2 * _DIGITS
