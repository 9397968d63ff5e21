"""Error feedback and descent, against definitions written out in float64."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.compression.descent import refine
from goodhart_gap.compression.ldlq import GridRounder, ldlq
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.quantizers import Grid, GroupedMatrix, fit_grid
from tests.unit.compression.cases import (
    bit_widths,
    few,
    group_sizes,
    hessian,
    lengths,
    seeds,
    weight,
)


def oracle(matrix: torch.Tensor, metric: Metric, grid: Grid, order: torch.Tensor) -> torch.Tensor:
    """Greedy rounding in float64: each column to the best level if later ones stay real-valued.

    Minimising over the columns still free, the error is that of the column conditioned on the ones
    already rounded: this is the definition of which LDLQ is the fast form.
    """
    full = metric.matrix.double()
    scale, offset = (part.double() for part in grid.expand())
    target, rounded = matrix.double().clone(), matrix.double().clone()
    remaining = order.tolist()
    for column in order.tolist():
        codes = torch.round(target[:, column] / scale[:, column] + offset[:, column])
        value = (codes.clamp(0, grid.top) - offset[:, column]) * scale[:, column]
        rounded[:, column] = value
        remaining.remove(column)
        if remaining:
            free = torch.linalg.inv(full[[column, *remaining]][:, [column, *remaining]])
            move = (target[:, column] - value).unsqueeze(1) * free[0, 1:] / free[0, 0]
            target[:, remaining] -= move
    return rounded


@few
@given(lengths, lengths, bit_widths, group_sizes, st.booleans(), seeds)
def test_identity_hessian_is_rounding_to_nearest(
    rows: int, columns: int, bits: int, group: int, symmetric: bool, seed: int
) -> None:
    matrix = weight(rows, columns, seed)
    metric = Metric(torch.eye(columns), damping=0.01)
    grid = fit_grid(matrix, bits, group, symmetric=symmetric)
    nearest = grid.decode(grid.encode(matrix))
    for feedback in (metric.natural, metric.by_activation):
        assert torch.equal(ldlq(matrix, feedback, GridRounder(grid, feedback.order)), nearest)


@few
@given(st.integers(1, 6), st.integers(1, 24), bit_widths, seeds)
def test_agrees_with_the_float64_oracle(rows: int, columns: int, bits: int, seed: int) -> None:
    matrix = weight(rows, columns, seed)
    metric = Metric(hessian(columns, seed), damping=0.01)
    grid = fit_grid(matrix, bits, 8, symmetric=True)
    natural = torch.arange(columns)
    for feedback in (metric.natural, metric.by_activation):
        order = natural if feedback.order is None else feedback.order
        expected = oracle(matrix, metric, grid, order)
        found = ldlq(matrix, feedback, GridRounder(grid, feedback.order)).double()
        # A tie may fall either way in float32, after which a row goes its own way.
        same = (found - expected).abs().amax(dim=1) < 1e-4
        assert int(same.sum()) >= rows - 1


def test_lazy_blocks_do_not_change_the_result() -> None:
    matrix = weight(5, 300, 1)
    metric = Metric(hessian(300, 1), damping=0.01)
    grid = fit_grid(matrix, 4, 64, symmetric=True)
    feedback = metric.natural
    errors = torch.zeros(5, 300, dtype=torch.float64)
    expected = torch.zeros(5, 300, dtype=torch.float64)
    scale, offset = (part.double() for part in grid.expand())
    for k in range(300):
        wanted = matrix[:, k].double() + errors[:, :k] @ feedback.upper[:k, k].double()
        codes = torch.round(wanted / scale[:, k] + offset[:, k]).clamp(0, 15)
        expected[:, k] = (codes - offset[:, k]) * scale[:, k]
        errors[:, k] = matrix[:, k].double() - expected[:, k]
    found = ldlq(matrix, feedback, GridRounder(grid, None)).double()
    assert float((found - expected).abs().amax(dim=1).lt(1e-4).float().mean()) >= 0.8


@few
@given(lengths, st.integers(2, 40), bit_widths, group_sizes, st.booleans(), seeds)
def test_refining_never_raises_the_error(
    rows: int, columns: int, bits: int, group: int, symmetric: bool, seed: int
) -> None:
    matrix = weight(rows, columns, seed)
    metric = Metric(hessian(columns, seed, tokens=columns // 2), damping=0.01)
    grid = fit_grid(matrix, bits, group, symmetric=symmetric)
    quantized = GroupedMatrix(grid.encode(matrix), grid)
    before = metric.squared_norm(matrix - quantized.dense())
    for _ in range(3):
        quantized = refine(matrix, quantized, metric, sweeps=1)
        after = metric.squared_norm(matrix - quantized.dense())
        assert after <= before * (1 + 1e-4) + 1e-9
        before = after
    again = GroupedMatrix.from_tensors(quantized.tensors(), bits, group, columns)
    assert torch.equal(again.dense(), quantized.dense())


def test_refining_helps_after_error_feedback() -> None:
    matrix, metric = weight(64, 96, 3), Metric(hessian(96, 3), damping=0.01)
    feedback = metric.by_activation
    grid = fit_grid(matrix, 3, 32, symmetric=False, importance=feedback.importance())
    values = ldlq(matrix, feedback, GridRounder(grid, feedback.order))
    quantized = GroupedMatrix(grid.encode(values), grid)
    refined = refine(matrix, quantized, metric, sweeps=2)
    nearest = metric.squared_norm(matrix - grid.decode(grid.encode(matrix)))
    fed_back = metric.squared_norm(matrix - quantized.dense())
    assert fed_back < 0.8 * nearest
    assert metric.squared_norm(matrix - refined.dense()) < 0.99 * fed_back
