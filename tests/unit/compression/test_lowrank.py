"""Low-rank fits in the Hessian norm."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.compression import lowrank
from goodhart_gap.compression.metric import Metric
from tests.unit.compression.cases import few, group_sizes, hessian, lengths, ranks, seeds, weight


def optimum(matrix: torch.Tensor, metric: Metric, rank: int) -> float:
    """The least tr((A - LR) H (A - LR)^T) over all rank-r L R, from a float64 SVD of A H^(1/2)."""
    root = torch.linalg.cholesky(metric.matrix.double())
    values = torch.linalg.svdvals(matrix.double() @ root)
    return float(values[rank:].square().sum())


@few
@given(lengths, lengths, st.integers(1, 50), seeds)
def test_reaches_the_float64_optimum(rows: int, columns: int, rank: int, seed: int) -> None:
    matrix, metric = weight(rows, columns, seed), Metric(hessian(columns, seed), damping=0.01)
    factors = lowrank.fit(matrix, metric, rank)
    whole = metric.squared_norm(matrix)
    error = metric.squared_norm(matrix - factors.dense())
    assert error <= optimum(matrix, metric, rank) * 1.001 + 1e-5 * whole


def test_power_iteration_comes_close_to_the_optimum() -> None:
    matrix, metric = weight(400, 160, 5), Metric(hessian(160, 5), damping=0.01)
    error = metric.squared_norm(matrix - lowrank.fit(matrix, metric, 16).dense())
    assert error <= 1.005 * optimum(matrix, metric, 16)


@few
@given(lengths, lengths, st.integers(1, 8), seeds)
def test_recovers_an_exactly_low_rank_matrix(rows: int, columns: int, rank: int, seed: int) -> None:
    left, right = weight(rows, rank, seed), weight(rank, columns, seed + 7)
    matrix, metric = left @ right, Metric(hessian(columns, seed), damping=0.01)
    factors = lowrank.fit(matrix, metric, rank)
    assert float((matrix - factors.dense()).norm()) <= 1e-3 * float(matrix.norm()) + 1e-5


@few
@given(lengths, lengths, st.integers(1, 6), seeds)
def test_refits_are_stationary(rows: int, columns: int, rank: int, seed: int) -> None:
    matrix, metric = weight(rows, columns, seed), Metric(hessian(columns, seed), damping=0.01)
    hessian64, matrix64 = metric.matrix.double(), matrix.double()
    right = weight(rank, columns, seed + 3)
    weighted = metric.matrix @ right.T
    left = lowrank.least_squares(right @ weighted, (matrix @ weighted).T).T
    slope = (matrix64 - left.double() @ right.double()) @ hessian64 @ right.double().T
    reference = matrix64 @ hessian64 @ right.double().T
    assert float(slope.norm()) <= 1e-3 * float(reference.norm()) + 1e-6
    left = weight(rows, rank, seed + 5)
    right = lowrank.refit_right(matrix, left)
    slope = left.double().T @ (matrix64 - left.double() @ right.double())
    assert float(slope.norm()) <= 1e-3 * float((left.double().T @ matrix64).norm()) + 1e-6


@few
@given(lengths, lengths, ranks.filter(bool), group_sizes, st.sampled_from([2, 3, 4, 8, 16]), seeds)
def test_quantized_factors_of_any_shape(
    rows: int, columns: int, rank: int, group: int, bits: int, seed: int
) -> None:
    matrix, metric = weight(rows, columns, seed), Metric(hessian(columns, seed), damping=0.01)
    start = lowrank.fit(matrix, metric, rank)
    factors = lowrank.quantize_alternating(matrix, start, metric, bits, group)
    assert factors.left.shape == (rows, min(rank, rows, columns))
    assert factors.right.shape == (min(rank, rows, columns), columns)
    assert bool(torch.isfinite(factors.dense()).all())
    if bits >= 8:
        exact = metric.squared_norm(matrix - start.dense())
        error = metric.squared_norm(matrix - factors.dense())
        assert error <= 1.1 * exact + 1e-3 * metric.squared_norm(matrix)


def test_refitting_against_quantized_factors_beats_rounding_both() -> None:
    matrix, metric = weight(96, 80, 2), Metric(hessian(80, 2), damping=0.01)
    start = lowrank.fit(matrix, metric, 16)
    rounded = lowrank.quantize_plain(start, 2, 32)
    refitted = lowrank.quantize_alternating(matrix, start, metric, 2, 32)
    error = metric.squared_norm(matrix - refitted.dense())
    assert error < 0.9 * metric.squared_norm(matrix - rounded.dense())
