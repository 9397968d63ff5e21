"""True bit packing: a code of b bits takes b bits, for any b from 1 to 16 and any row length.

Each row is packed by itself, least significant bit first (code j of a row occupies bits j*b to
(j+1)*b - 1 of the row's bit stream), and padded with zero bits to a whole number of bytes.

    >>> pack(torch.tensor([[1, 2, 3]]), bits=3)
    tensor([[209,   0]], dtype=torch.uint8)
"""

import math

import torch

from goodhart_gap.compression.accounting import packed_width


def pack(codes: torch.Tensor, bits: int) -> torch.Tensor:
    """Pack integer `codes` [rows, columns] in 0..2^bits-1 to uint8 [rows, packed_width]."""
    rows, columns = codes.shape
    per_word, word_bytes = _word(bits)
    words = -(-columns // per_word)
    padded = torch.zeros(rows, words * per_word, dtype=torch.int64, device=codes.device)
    padded[:, :columns] = codes
    shifts = torch.arange(per_word, device=codes.device) * bits
    packed = (padded.view(rows, words, per_word) << shifts).sum(dim=-1)
    byte_shifts = torch.arange(word_bytes, device=codes.device) * 8
    data = ((packed.unsqueeze(-1) >> byte_shifts) & 255).to(torch.uint8)
    return data.view(rows, words * word_bytes)[:, : packed_width(columns, bits)].contiguous()


def unpack(data: torch.Tensor, bits: int, columns: int) -> torch.Tensor:
    """Undo `pack`: uint8 [rows, packed_width] to int32 codes [rows, columns]."""
    rows = data.shape[0]
    per_word, word_bytes = _word(bits)
    words = -(-columns // per_word)
    padded = torch.zeros(rows, words * word_bytes, dtype=torch.int64, device=data.device)
    padded[:, : data.shape[1]] = data
    byte_shifts = torch.arange(word_bytes, device=data.device) * 8
    packed = (padded.view(rows, words, word_bytes) << byte_shifts).sum(dim=-1)
    shifts = torch.arange(per_word, device=data.device) * bits
    codes = (packed.unsqueeze(-1) >> shifts) & ((1 << bits) - 1)
    return codes.view(rows, words * per_word)[:, :columns].to(torch.int32).contiguous()


def _word(bits: int) -> tuple[int, int]:
    """The smallest run of codes that fills whole bytes, within one 63-bit word."""
    if not 1 <= bits <= 16:
        raise ValueError(f"bits must lie in 1..16, not {bits}")
    if bits > 8 and bits < 16 and math.lcm(bits, 8) > 56:
        raise ValueError(f"codes of {bits} bits do not pack into a 56-bit word")
    total = math.lcm(bits, 8)
    return total // bits, total // 8
