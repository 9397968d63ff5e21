"""CALDERA as published: Saha et al., NeurIPS 2024, Algorithm 1 with the settings of its section 5.

Written from the paper, to compare with: randomized Hadamard incoherence; L R starts at zero; 15
outer iterations of LDLQ with the E8 lattice for Q and LPLRFactorize for L and R; there, a
rank-constrained regression in the norm of H and 10 inner iterations that solve for L and R in turn
and round each to the 4-bit lattice; the best iterate is kept. Runs in the rotated basis.
"""

import torch

from goodhart_gap.compression import lattice
from goodhart_gap.compression.ldlq import ldlq
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.rotation import restore_weight, rotate_weight

OUTER_ITERATIONS = 15
INNER_ITERATIONS = 10
RANK = 16
FACTOR_BITS = 4


def compress(weight: torch.Tensor, metric: Metric, bits: int) -> tuple[torch.Tensor, int]:
    """Return the reconstruction of `weight` [rows, columns] and the bytes it takes."""
    target, metric = rotate_weight(weight.float()), metric.rotated
    best, best_error = target, float("inf")
    product = torch.zeros_like(target)
    for _ in range(OUTER_ITERATIONS):
        quantized = _ldlq(target - product, metric, bits)
        product = _factorize(target - quantized, metric)
        error = metric.squared_norm(target - quantized - product)
        if error < best_error:
            best, best_error = quantized + product, error
    rows, columns = weight.shape
    size = rows * bits * -(-columns // 8) + 4
    size += FACTOR_BITS * (RANK * -(-rows // 8) + RANK * -(-columns // 8)) + 8
    return restore_weight(best), size


def _ldlq(target: torch.Tensor, metric: Metric, bits: int) -> torch.Tensor:
    scale = lattice.fitting_scale(target, bits)
    return ldlq(target, metric.natural, lattice.Rounder(*target.shape, scale, bits))


def _factorize(residual: torch.Tensor, metric: Metric) -> torch.Tensor:
    """LPLRFactorize: the best quantized rank-r product for `residual` in the norm of `metric`."""
    feedback = metric.natural
    root = feedback.upper * feedback.diagonal.sqrt()
    u, s, v = torch.linalg.svd(residual @ root, full_matrices=False)
    left = u[:, :RANK] * s[:RANK].sqrt()
    right = torch.linalg.solve_triangular(
        root.T, (s[:RANK].sqrt().unsqueeze(1) * v[:RANK]).T, upper=False
    ).T
    best, best_error = left @ right, float("inf")
    for _ in range(INNER_ITERATIONS):
        right = _round(torch.linalg.lstsq(left, residual).solution)
        weighted = metric.matrix @ right.T
        left = _round(torch.linalg.lstsq(right @ weighted, (residual @ weighted).T).solution.T)
        error = metric.squared_norm(residual - left @ right)
        if error < best_error:
            best, best_error = left @ right, error
    return best


def _round(factor: torch.Tensor) -> torch.Tensor:
    """Round a factor to the 4-bit lattice, one scale for all of it."""
    rounder = lattice.Rounder(
        *factor.shape, lattice.fitting_scale(factor, FACTOR_BITS), FACTOR_BITS
    )
    columns = factor.T.contiguous()
    chunks = [rounder.round(columns[k : k + 8], k) for k in range(0, columns.shape[0], 8)]
    return torch.cat(chunks).T.contiguous()
