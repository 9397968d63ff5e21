"""The int4 matrix kernels that ship with torch, for 4-bit codes in groups of 32, 64, 128 or 256.

torch has a kernel on the CPU (bfloat16 inputs; its float32 path is a reference loop, hundreds of
times slower) and one on CUDA (bfloat16). Both compute with

    W = (code - 8) * scale + offset,       scale, offset [groups, rows] in the inputs' format,

each from a layout of its own, into which codes are brought here; `offset` is scale * (8 - zero),
rounded to bfloat16, which is the only number that differs from the stored ones.
"""

import torch

GROUP_SIZES = frozenset({32, 64, 128, 256})

DTYPE = torch.bfloat16
"""Number format of inputs, results, scales and offsets."""

_ROWS_OF_BLOCK = 64
"""The CPU layout is made of blocks of so many rows, so any number of blocks is packed by itself."""

_ENTRIES_AT_ONCE = 1 << 18
"""Codes unpacked at once, about."""

_MIDDLE = 8


def serves(rows: int, columns: int, bits: int, group_size: int, device: torch.device) -> bool:
    """Whether the kernel of `device` takes a groupwise matrix [rows, columns] of this layout."""
    if bits != 4 or group_size not in GROUP_SIZES or columns % group_size:
        return False
    if device.type == "cpu":
        return rows % 16 == 0
    return device.type == "cuda" and rows % 8 == 0 and _inner_tiles(columns) > 0


def pack(codes: torch.Tensor, columns: int) -> torch.Tensor:
    """Bring stored codes (uint8 [rows, columns / 2], low half first) into the kernel's layout."""
    if codes.device.type == "cuda":
        swapped = (codes << 4) | (codes >> 4)
        return torch.ops.aten._convert_weight_to_int4pack(swapped, _inner_tiles(columns))
    rows = codes.shape[0]
    packed = torch.empty(rows, columns // 2, dtype=torch.uint8)
    step = _ROWS_OF_BLOCK * max(1, _ENTRIES_AT_ONCE // (_ROWS_OF_BLOCK * columns))
    for first in range(0, rows, step):
        part = codes[first : first + step]
        whole = torch.stack((part & 15, part >> 4), dim=-1).view(-1, columns)
        packed[first : first + step] = torch.ops.aten._convert_weight_to_int4pack_for_cpu(
            whole.to(torch.int32), 1
        )
    return packed


def unpack(packed: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Undo `pack` (by multiplying with the identity, so no layout has to be known)."""
    device = packed.device
    size = min(GROUP_SIZES - {g for g in GROUP_SIZES if columns % g})
    plain = torch.ones(columns // size, rows, 2, dtype=DTYPE, device=device)
    plain[:, :, 1] = _MIDDLE
    codes = torch.empty(rows, columns // 2, dtype=torch.uint8, device=device)
    for first in range(0, columns, size):
        unit = torch.zeros(size, columns, dtype=DTYPE, device=device)
        unit[:, first : first + size] = torch.eye(size, dtype=DTYPE, device=device)
        part = product(unit, packed, plain, size).T.to(torch.uint8)
        codes[:, first // 2 : (first + size) // 2] = part[:, ::2] | (part[:, 1::2] << 4)
    return codes


def scales_and_offsets(scales: torch.Tensor, zeros: torch.Tensor | None) -> torch.Tensor:
    """Scale and offset [groups, rows, 2] bfloat16 of `scales` [rows, groups].

    `zeros` are zero points [rows, groups], None for a grid centred on 7.5.
    """
    scale = scales.float()
    shift = torch.full_like(scale, 0.5) if zeros is None else _MIDDLE - zeros.float()
    return torch.stack((scale, scale * shift), dim=-1).transpose(0, 1).contiguous().to(DTYPE)


def product(
    inputs: torch.Tensor, packed: torch.Tensor, scales_offsets: torch.Tensor, group_size: int
) -> torch.Tensor:
    """Return x W^T [n, rows] for bfloat16 `inputs` [n, columns]."""
    if inputs.device.type == "cuda":
        kernel = torch.ops.aten._weight_int4pack_mm
    else:
        kernel = torch.ops.aten._weight_int4pack_mm_for_cpu
    result: torch.Tensor = kernel(inputs, packed, group_size, scales_offsets)
    return result


def _inner_tiles(columns: int) -> int:
    """The CUDA layout's inner tiles: the most that divide the columns; 0 if none do."""
    return next((tiles for tiles in (8, 4, 2) if columns % (16 * tiles) == 0), 0)
