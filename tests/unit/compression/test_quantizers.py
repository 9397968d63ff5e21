"""Grids: what they represent they keep, and a search never does worse than covering the range."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.compression.accounting import grouped_bytes
from goodhart_gap.compression.quantizers import GroupedMatrix, fit_grid
from tests.unit.compression.cases import bit_widths, few, group_sizes, lengths, seeds, weight


@few
@given(lengths, lengths, bit_widths, group_sizes, st.booleans(), st.booleans(), seeds)
def test_idempotent_and_stored_exactly(
    rows: int, columns: int, bits: int, group: int, symmetric: bool, search: bool, seed: int
) -> None:
    matrix = weight(rows, columns, seed)
    grid = fit_grid(matrix, bits, group, symmetric=symmetric, search=search)
    quantized = GroupedMatrix(grid.encode(matrix), grid)
    once = quantized.dense()
    assert torch.equal(grid.encode(once), quantized.codes)
    stored = quantized.tensors()
    size = sum(tensor.numel() * tensor.element_size() for tensor in stored.values())
    assert size == grouped_bytes(rows, columns, bits, group, symmetric=symmetric)
    again = GroupedMatrix.from_tensors(stored, bits, group, columns)
    assert torch.equal(again.dense(), once)


@few
@given(lengths, lengths, bit_widths, group_sizes, st.booleans(), seeds)
def test_rounding_error_is_at_most_half_a_step(
    rows: int, columns: int, bits: int, group: int, symmetric: bool, seed: int
) -> None:
    matrix = weight(rows, columns, seed)
    grid = fit_grid(matrix, bits, group, symmetric=symmetric, search=False)
    scale, _ = grid.expand()
    error = (grid.decode(grid.encode(matrix)) - matrix).abs()
    # Half a step; the outermost levels also lose what rounding scales (2^-8 of the range) and, on
    # asymmetric grids, what rounding the zero point moved them by (half a step).
    slack = 0.5 + (0.0 if symmetric else 0.5) + (1 << bits) * 2.0**-8
    assert bool((error <= slack * scale + 1e-6).all())


@few
@given(lengths, lengths, bit_widths, group_sizes, st.booleans(), seeds)
def test_search_never_hurts(
    rows: int, columns: int, bits: int, group: int, symmetric: bool, seed: int
) -> None:
    matrix = weight(rows, columns, seed)
    importance = torch.rand(columns, generator=torch.Generator().manual_seed(seed))

    def error(search: bool) -> float:
        grid = fit_grid(
            matrix, bits, group, symmetric=symmetric, importance=importance, search=search
        )
        return float(((grid.decode(grid.encode(matrix)) - matrix).square() * importance).sum())

    assert error(True) <= error(False) * (1 + 1e-5) + 1e-12


def test_zero_rows_stay_zero() -> None:
    matrix = weight(4, 20, 0)
    matrix[2] = 0
    for symmetric in (True, False):
        grid = fit_grid(matrix, 3, 8, symmetric=symmetric)
        assert torch.equal(grid.decode(grid.encode(matrix))[2], torch.zeros(20))


def test_a_row_too_small_for_a_normal_scale_stays_finite() -> None:
    """The scale of weights near 1e-38 is subnormal, and its inverse infinite."""
    matrix = weight(3, 16, 0)
    matrix[1] = 1e-38 * torch.linspace(-0.5, 1, 16)
    matrix[1, 5] = 0
    for symmetric in (True, False):
        for search in (True, False):
            grid = fit_grid(matrix, 4, 8, symmetric=symmetric, search=search)
            codes = grid.encode(matrix)
            assert bool(torch.isfinite(codes).all())
            assert bool(torch.isfinite(grid.decode(codes)).all())
