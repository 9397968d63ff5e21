"""Packing loses nothing and wastes less than a byte a row."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.compression.accounting import packed_width
from goodhart_gap.compression.packing import pack, unpack
from tests.unit.compression.cases import few, lengths, seeds


@few
@given(
    bits=st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 12, 16]),
    rows=lengths,
    columns=lengths,
    seed=seeds,
)
def test_round_trip(bits: int, rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 1 << bits, (rows, columns), generator=generator)
    data = pack(codes, bits)
    assert data.dtype == torch.uint8
    assert data.shape == (rows, packed_width(columns, bits))
    assert torch.equal(unpack(data, bits, columns).long(), codes)


def test_layout_is_the_documented_one() -> None:
    # 1, 2, 3 in three bits each, least significant bit first: 100 010 110 -> 01000101 10000000 read
    # backwards in each byte.
    assert pack(torch.tensor([[1, 2, 3]]), bits=3).tolist() == [[0b11010001, 0]]
    assert pack(torch.tensor([[0x1, 0xF]]), bits=4).tolist() == [[0xF1]]
