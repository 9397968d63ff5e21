"""How a prepared layer holds its factors L and R, which are read at every call.

As numbers of the format it computes in they would take several times what they take on disk. On the
CPU they need not be:

- R is what torch's int4 kernel multiplies with, where the layer itself is (`int4`): its grid is
  centred, so that half a scale is the offset, and no number differs from the stored ones;
- L is held as the odd whole numbers 2 c - (2^b - 1) in a byte each, and half its scales. One
  conversion and one product a call make the numbers, rounded once, that `stored.grouped` makes.

Anything else, and every factor on a GPU, is held as numbers (`values`).
"""

import torch

from goodhart_gap.compression.format import ModuleRecord
from goodhart_gap.compression.packing import pack, unpack
from goodhart_gap.runtime import int4, stored

Parts = dict[str, torch.Tensor]
"""What is held of one factor, by name."""

_BYTE_BITS = 8


def hold_right(parts: Parts, record: ModuleRecord, dtype: torch.dtype, by_int4: bool) -> Parts:
    """Return how R [rank, columns] is held, of its stored `parts`."""
    settings, columns = record.settings, record.shape[1]
    if "codes" in parts and by_int4:
        device, bits = parts["codes"].device, settings.factor_bits
        if device.type == "cpu" and int4.serves(
            record.rank, columns, bits, settings.group_size, device
        ):
            return {
                "codes": int4.pack(parts["codes"], columns),
                "scales_offsets": int4.scales_and_offsets(parts["scales"], None),
            }
    return {"values": numbers(parts, record, columns, dtype)}


def hold_left(parts: Parts, record: ModuleRecord, dtype: torch.dtype) -> Parts:
    """Return how L^T [rank, rows] is held, of its stored `parts`."""
    settings, rows = record.settings, record.shape[0]
    bits = settings.factor_bits
    fits = bits < _BYTE_BITS and rows % settings.group_size == 0
    if fits and parts["codes"].device.type == "cpu":
        codes = unpack(parts["codes"], bits, rows)
        levels = (2 * codes - ((1 << bits) - 1)).to(torch.int8)
        return {"levels": levels, "half_scales": parts["scales"] / 2}
    return {"values": numbers(parts, record, rows, dtype)}


def numbers(parts: Parts, record: ModuleRecord, length: int, dtype: torch.dtype) -> torch.Tensor:
    """Return a factor [rank, length] as numbers, of its stored `parts`."""
    if "values" in parts:
        return parts["values"].to(dtype)
    settings = record.settings
    wide = stored.grouped(parts, settings.factor_bits, settings.group_size, length, torch.float32)
    return wide.to(dtype)


def right_product(values: torch.Tensor, held: Parts, record: ModuleRecord) -> torch.Tensor:
    """Return x R^T [n, rank] of `values` [n, columns], in their format."""
    if "scales_offsets" in held:
        group_size = record.settings.group_size
        found = int4.product(
            values.to(int4.DTYPE), held["codes"], held["scales_offsets"], group_size
        )
        return found.to(values.dtype)
    return values @ numbers(held, record, record.shape[1], values.dtype).T


def left_numbers(held: Parts, record: ModuleRecord, dtype: torch.dtype) -> torch.Tensor:
    """Return L^T [rank, rows]."""
    if "levels" not in held:
        return numbers(held, record, record.shape[0], dtype)
    if dtype == torch.float16:
        # Its range is too small for the scales of some factors.
        return left_numbers(held, record, torch.float32).to(dtype)
    found = held["levels"].to(dtype)
    grouped = found.view(found.shape[0], -1, record.settings.group_size)
    grouped.mul_(held["half_scales"].to(dtype).unsqueeze(-1))
    return found


def stored_again(held: Parts, record: ModuleRecord) -> Parts:
    """Undo `hold_right` and `hold_left`; a factor held as numbers stays so."""
    if "levels" in held:
        bits = record.settings.factor_bits
        codes = (held["levels"].to(torch.int64) + ((1 << bits) - 1)) // 2
        return {"codes": pack(codes, bits), "scales": held["half_scales"] * 2}
    if "scales_offsets" in held:
        codes = int4.unpack(held["codes"], record.rank, record.shape[1])
        scales = held["scales_offsets"][..., 0].transpose(0, 1).contiguous()
        return {"codes": codes, "scales": scales}
    return held
