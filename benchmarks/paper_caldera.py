"""CALDERA as published: Saha et al., NeurIPS 2024, Algorithm 1 with the settings of its section 5.

Written from the paper, to compare with: randomized Hadamard incoherence; L R starts at zero; 15
outer iterations of LDLQ with the E8 lattice for Q and LPLRFactorize for L and R; there, a
rank-constrained regression in the norm of H and 10 inner iterations that solve for L and R in turn
and round each to the 4-bit lattice; the best iterate is kept. Runs in the rotated basis.

What is shared with ours (rotation, lattice search, LDLQ, least squares) is as fast as in ours. The
errors of the inner iterations are expanded, so that none of them needs a product with H:
||A - L R||_H^2 = ||A||_H^2 - 2 tr(L^T A H R^T) + tr(L^T L R H R^T).
"""

from dataclasses import dataclass, field

import torch

from goodhart_gap.compression import lattice, lowrank
from goodhart_gap.compression.ldlq import ldlq
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.rotation import restore_weight, rotate_weight

OUTER_ITERATIONS = 15
INNER_ITERATIONS = 10
RANK = 16
FACTOR_BITS = 4


@dataclass(frozen=True)
class Found:
    """A reconstruction float32 [rows, columns], its bytes, and how it was come by."""

    dense: torch.Tensor
    size_bytes: int
    objectives: list[float] = field(default_factory=list)
    """tr(E H E^T) with the damped H after each outer iteration (not the best so far)."""


def compress(
    weight: torch.Tensor,
    metric: Metric,
    bits: int,
    rank: int = RANK,
    iterations: int = OUTER_ITERATIONS,
) -> Found:
    """Compress `weight` [rows, columns] to `bits` bits an entry of Q."""
    target, metric = rotate_weight(weight.float()), metric.rotated
    rank = min(rank, *target.shape)
    best = torch.zeros_like(target)
    product = torch.zeros_like(target)
    objectives: list[float] = []
    for _ in range(iterations):
        quantized = _ldlq(target - product, metric, bits)
        product, error = factorize(target - quantized, metric, rank)
        if not objectives or error < min(objectives):
            best = quantized + product
        objectives.append(error)
    rows, columns = weight.shape
    size = rows * bits * -(-columns // 8) + 4
    size += FACTOR_BITS * rank * (-(-rows // 8) + -(-columns // 8)) + 8
    return Found(restore_weight(best), size, objectives)


def _ldlq(target: torch.Tensor, metric: Metric, bits: int) -> torch.Tensor:
    scale = lattice.fitting_scale(target, bits)
    return ldlq(target, metric.natural, lattice.Rounder(*target.shape, scale, bits))


def factorize(residual: torch.Tensor, metric: Metric, rank: int) -> tuple[torch.Tensor, float]:
    """LPLRFactorize: a quantized rank-r product for `residual` in the norm of `metric`.

    Returns the best product met, [rows, columns], and its squared error.
    """
    left = lowrank.fit(residual, metric, rank).left
    # Shared evenly between the factors, as in the paper; that R is solved for next.
    right = left.T @ residual
    singular = (right @ metric.matrix * right).sum(dim=1).clamp(min=1e-30).sqrt()
    left = left * singular.sqrt()
    whole = metric.squared_norm(residual)
    best, best_error = torch.zeros_like(residual), float("inf")
    for _ in range(INNER_ITERATIONS):
        right = _round(lowrank.refit_right(residual, left))
        weighted = metric.matrix @ right.T
        gram, crossed = right @ weighted, residual @ weighted
        left = _round(lowrank.least_squares(gram, crossed.T).T)
        shared = (crossed * left).sum(dtype=torch.float64)
        squared = ((left.T @ left) * gram).sum(dtype=torch.float64)
        error = whole - 2 * float(shared) + float(squared)
        if error < best_error:
            best, best_error = left @ right, error
    return best, best_error


def _round(factor: torch.Tensor) -> torch.Tensor:
    """Round a factor to the 4-bit lattice, eight entries of a row at a time, one scale for all."""
    rows, columns = factor.shape
    padding = -columns % lattice.DIMENSION
    vectors = torch.nn.functional.pad(factor, (0, padding)).reshape(-1, lattice.DIMENSION)
    scale = lattice.fitting_scale(factor, FACTOR_BITS)
    rounder = lattice.Rounder(vectors.shape[0], lattice.DIMENSION, scale, FACTOR_BITS)
    return rounder.round(vectors.T, 0).T.reshape(rows, -1)[:, :columns].contiguous()
