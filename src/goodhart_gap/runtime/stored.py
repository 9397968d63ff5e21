"""Products with a matrix that stays in its stored form: any codebook, any bits, any device.

Some rows at a time are turned into numbers, multiplied and forgotten, so that no more than
`ENTRIES_AT_ONCE` weights exist at any moment. Plain vectorised torch.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import torch

from goodhart_gap.compression.accounting import trellis_tile_rows
from goodhart_gap.compression.format import ModuleRecord
from goodhart_gap.compression.lattice import RESIDUAL_SCALE, decode, short_vectors
from goodhart_gap.compression.packing import unpack
from goodhart_gap.compression.trellis import STATE_BITS, table

ENTRIES_AT_ONCE = 1 << 20
"""Weights that are numbers at any moment, about."""

Parts = Mapping[str, torch.Tensor]
"""What is stored of a matrix, by the names of docs/FORMAT.md (`codes`, `scales`, ...)."""


def product(inputs: torch.Tensor, parts: Parts, record: ModuleRecord) -> torch.Tensor:
    """Return x Q^T [n, rows] for `inputs` [n, columns] of any float format."""
    result = inputs.new_empty(inputs.shape[0], record.shape[0])
    for rows, weight in row_blocks(parts, record, inputs.dtype):
        result[:, rows] = inputs @ weight.T
    return result


def row_blocks(
    parts: Parts, record: ModuleRecord, dtype: torch.dtype
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield Q some rows at a time: which rows, and their weights in `dtype`."""
    settings = record.settings
    rows, columns = record.shape
    step = max(1, ENTRIES_AT_ONCE // columns)
    if settings.codebook == "trellis":
        height = trellis_tile_rows(rows)
        step = max(1, step // height) * height
    for first in range(0, rows, step):
        chosen = slice(first, min(first + step, rows))
        if settings.codebook == "trellis":
            weight = _trellis(parts, chosen, record).to(dtype)
        elif settings.codebook == "e8":
            weight = _lattice(parts, chosen, record, dtype)
        else:
            weight = grouped(
                {name: part[chosen] for name, part in parts.items()},
                settings.bits,
                settings.group_size,
                columns,
                dtype,
            )
        yield chosen, weight


def grouped(
    parts: Parts, bits: int, group_size: int, columns: int, dtype: torch.dtype
) -> torch.Tensor:
    """Weights [rows, columns] of groupwise `codes`, `scales` and, if asymmetric, `zeros`."""
    if dtype == torch.float16:
        # Its range is too small for the scales of some weights.
        return grouped(parts, bits, group_size, columns, torch.float32).to(dtype)
    codes = _codes(parts["codes"], bits, columns, dtype)
    scales = parts["scales"].to(dtype)
    zeros: torch.Tensor | float = ((1 << bits) - 1) / 2
    if "zeros" in parts:
        zeros = unpack(parts["zeros"], bits, scales.shape[1]).to(dtype)
    if columns % group_size == 0:
        blocks = codes.view(codes.shape[0], -1, group_size)
        if isinstance(zeros, torch.Tensor):
            zeros = zeros.unsqueeze(-1)
        return blocks.sub_(zeros).mul_(scales.unsqueeze(-1)).view(codes.shape)
    if isinstance(zeros, torch.Tensor):
        zeros = zeros.repeat_interleave(group_size, dim=1)[:, :columns]
    return codes.sub_(zeros).mul_(scales.repeat_interleave(group_size, dim=1)[:, :columns])


def _codes(data: torch.Tensor, bits: int, columns: int, dtype: torch.dtype) -> torch.Tensor:
    """Codes [rows, columns] as numbers of `dtype`; 8 bits and fewer are exact in any."""
    rows, width = data.shape
    if bits == 8:
        return data.to(dtype)
    if bits == 3:
        words = -(-width // 3)
        data = torch.nn.functional.pad(data, (0, 3 * words - width)).view(rows, words, 3).int()
        data = data[..., 0] | data[..., 1] << 8 | data[..., 2] << 16
        each = 8
    else:
        each = 8 // bits
    codes = torch.empty(rows, data.shape[1], each, dtype=dtype, device=data.device)
    for place in range(each):
        codes[..., place] = (data >> (place * bits)) & ((1 << bits) - 1)
    codes = codes.view(rows, -1)
    return codes if codes.shape[1] == columns else codes[:, :columns].contiguous()


def _trellis(parts: Parts, rows: slice, record: ModuleRecord) -> torch.Tensor:
    """Rows that are whole tiles (the matrix's last tile may be lower), float32."""
    height = trellis_tile_rows(record.shape[0])
    codes = unpack(parts["codes"][rows], record.settings.bits, record.shape[1])
    whole = codes.shape[0] // height * height
    values = table().to(codes.device)
    found = [
        values[_states(part, min(height, part.shape[0]), record.settings.bits)]
        for part in (codes[:whole], codes[whole:])
        if part.shape[0]
    ]
    return torch.cat(found).mul_(parts["scale"])


def _states(codes: torch.Tensor, height: int, bits: int) -> torch.Tensor:
    """State of each weight of whole tiles [rows, columns]: the last STATE_BITS bits of its stream.

    A stream runs down the rows of its tile, column after column, and starts from zeros.
    """
    rows, columns = codes.shape
    streams = codes.view(-1, height, columns).transpose(1, 2).reshape(-1, height * columns)
    states = streams.clone()
    for age in range(1, -(-STATE_BITS // bits)):
        states[:, age:] |= streams[:, :-age] << (age * bits)
    states &= (1 << STATE_BITS) - 1
    return states.view(-1, columns, height).transpose(1, 2).reshape(rows, columns)


def _lattice(parts: Parts, rows: slice, record: ModuleRecord, dtype: torch.dtype) -> torch.Tensor:
    bits, columns = record.settings.bits, record.shape[1]
    device = parts["codes"].device
    table = _codewords(device, dtype)
    weight = table[_wide(parts["codes"][rows])]
    if bits > 2:
        second = parts["residual_codes"][rows]
        if bits == 4:
            finer = table[_wide(second)]
        else:
            finer = short_vectors().to(device, dtype)[second.int()]
        weight = torch.add(weight, finer, alpha=1 / RESIDUAL_SCALE[bits])
    scale = float(parts["scale"])
    return weight.flatten(1)[:, :columns].mul(scale)


def _wide(codes: torch.Tensor) -> torch.Tensor:
    """16-bit codes [rows, n] of bytes [rows, 2 n]."""
    pairs = codes.view(codes.shape[0], -1, 2).int()
    return pairs[..., 0] | pairs[..., 1] << 8


@lru_cache(maxsize=4)
def _codewords(device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """All 65536 codewords of E8P [65536, 8]; multiples of 1/4, exact in every format."""
    return decode(torch.arange(1 << 16)).to(device, dtype)
