"""The published algorithm that ours is compared with: right, and no strawman."""

import pytest
import torch
from benchmarks import paper_caldera

from goodhart_gap.compression import lattice
from goodhart_gap.compression.ldlq import ldlq
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.rotation import restore_weight, rotate_weight
from tests.unit.compression.cases import hessian, weight

ROWS, COLUMNS, RANK = 64, 96, 6


def case(seed: int = 0) -> tuple[torch.Tensor, Metric]:
    """A weight with a strong low-rank part, and a Hessian."""
    strong = weight(ROWS, 4, seed) @ weight(4, COLUMNS, seed + 1)
    return weight(ROWS, COLUMNS, seed + 2) + strong, Metric(hessian(COLUMNS, seed), 0.01)


def share(matrix: torch.Tensor, metric: Metric, dense: torch.Tensor) -> float:
    return metric.squared_norm(matrix - dense) / metric.squared_norm(matrix)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_objective_is_the_error_of_the_best_reconstruction(bits: int) -> None:
    matrix, metric = case()
    found = paper_caldera.compress(matrix, metric, bits, rank=RANK, iterations=5)
    assert len(found.objectives) == 5
    direct = metric.squared_norm(matrix - found.dense)
    assert min(found.objectives) == pytest.approx(direct, rel=1e-3)
    # 8 weights cost `bits` bytes; so do 2 entries of a factor a bit.
    expected = bits * ROWS * COLUMNS / 8 + 4 * RANK * (ROWS + COLUMNS) / 8
    assert found.size_bytes == pytest.approx(expected, rel=0.01)


def test_iterations_help() -> None:
    matrix, metric = case()
    objectives = paper_caldera.compress(matrix, metric, 2, rank=RANK).objectives
    assert len(objectives) == 15
    assert min(objectives) < 0.9 * objectives[0]


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_beats_its_own_quantizer_alone_by_what_the_factors_hold(bits: int) -> None:
    matrix, metric = case()
    target = rotate_weight(matrix)
    rounder = lattice.Rounder(ROWS, COLUMNS, lattice.fitting_scale(target, bits), bits)
    alone = share(matrix, metric, restore_weight(ldlq(target, metric.rotated.natural, rounder)))
    found = paper_caldera.compress(matrix, metric, bits, rank=RANK)
    assert share(matrix, metric, found.dense) < 0.5 * alone


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_is_no_strawman(bits: int) -> None:
    """It beats scalar error feedback at no fewer bits, as the paper says it does."""
    matrix, metric = case(3)
    found = paper_caldera.compress(matrix, metric, bits, rank=RANK)
    settings = MatrixSettings(method="gptq", bits=bits, group_size=16)
    scalar = compress_matrix(matrix, metric, settings, "m").dense()
    assert share(matrix, metric, found.dense) < 0.9 * share(matrix, metric, scalar)


def test_distortion_of_noise_is_that_of_the_lattice() -> None:
    """Without structure and with H = I, Q leaves what E8P leaves of normal noise: 0.089."""
    noise = torch.randn(128, 256, generator=torch.Generator().manual_seed(0))
    metric = Metric(torch.eye(256), 0.01)
    found = paper_caldera.compress(noise, metric, 2, rank=1, iterations=2)
    assert 0.085 < share(noise, metric, found.dense) < 0.093


def test_factors_come_near_the_best_of_their_rank() -> None:
    matrix, metric = case(5)
    matrix, metric = rotate_weight(matrix), metric.rotated
    root = torch.linalg.cholesky(metric.matrix.double())
    singular = torch.linalg.svdvals(matrix.double() @ root)
    best = float(singular[RANK:].square().sum())
    product, error = paper_caldera.factorize(matrix, metric, RANK)
    assert error == pytest.approx(metric.squared_norm(matrix - product), rel=1e-3)
    assert int(torch.linalg.matrix_rank(product)) <= RANK
    whole = float(singular.square().sum())
    # A lattice of 4 bits leaves 0.8 % of the energy of either factor.
    assert best <= error < best + 0.025 * (whole - best)
