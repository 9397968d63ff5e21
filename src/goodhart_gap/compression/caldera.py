"""CALDERA: W ~ Q + L R under the norm of the calibration activations.

Saha et al., "Compressing Large Language Models using Low Rank and Low Precision Decomposition"
(NeurIPS 2024), Algorithm 1: minimise tr((W - Q - L R) H (W - Q - L R)^T) by alternating an
error-feedback quantizer for Q with a rank-constrained regression for L and R. What differs here:
Q may be a trellis code; each factor is quantized by error feedback and refitted against the other
as stored; codes and scales of a scalar Q are polished by descent; and L R may start from the
whitened fit of W itself, so that Q is given a matrix whose strongest directions are already gone.
"""

from dataclasses import dataclass, field, replace

import torch

from goodhart_gap.compression import lattice, lowrank, trellis
from goodhart_gap.compression.descent import refine
from goodhart_gap.compression.lattice import LatticeMatrix
from goodhart_gap.compression.ldlq import GridRounder, ldlq
from goodhart_gap.compression.lowrank import Factors
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.metric import Feedback, Metric
from goodhart_gap.compression.quantizers import GroupedMatrix, fit_grid
from goodhart_gap.compression.rotation import restore_weight
from goodhart_gap.compression.trellis import TrellisMatrix

Quantized = GroupedMatrix | TrellisMatrix | LatticeMatrix
"""Q, by codebook: scalar, trellis, e8."""


@dataclass(frozen=True)
class Approximation:
    """Q and, unless the rank is 0, L and R; with the objective after each alternation."""

    quantized: Quantized
    factors: Factors | None
    rotated: bool = False
    """Whether Q + L R stands for the rotated weight."""
    objectives: list[float] = field(default_factory=list)
    """tr(E H E^T) / tr(W H W^T) with the damped H, the best so far after each alternation."""

    def dense(self) -> torch.Tensor:
        """Q + L R, rotated back if need be, float32 [rows, columns]."""
        dense = self.quantized.dense()
        if self.factors is not None:
            dense = dense + self.factors.dense()
        return restore_weight(dense) if self.rotated else dense


def caldera(weight: torch.Tensor, metric: Metric, settings: MatrixSettings) -> Approximation:
    """Alternate between Q and L R, keeping the best pair met."""
    whole = metric.squared_norm(weight)
    best: Approximation | None = None
    history: list[float] = []
    factors = _fit(weight, None, metric, settings) if settings.start == "weight" else None
    for _ in range(settings.iterations if settings.rank else 1):
        target = weight if factors is None else weight - factors.dense()
        quantized = error_feedback(target, metric, settings)
        if isinstance(quantized, GroupedMatrix):
            quantized = refine(target, quantized, metric, settings.sweeps)
        factors = _fit(weight - quantized.dense(), factors, metric, settings)
        found = Approximation(quantized, factors)
        error = metric.squared_norm(weight - found.dense()) / max(whole, 1e-300)
        if best is None or error < history[-1]:
            best = found
        history.append(min([error, *history[-1:]]))
    assert best is not None
    return replace(best, objectives=history)


def _fit(
    residual: torch.Tensor, previous: Factors | None, metric: Metric, settings: MatrixSettings
) -> Factors | None:
    """Factors of `residual` as stored, no worse for it than the `previous` ones."""
    if settings.rank == 0:
        return None
    start = lowrank.fit(residual, metric, settings.rank)
    found = lowrank.quantize_alternating(
        residual, start, metric, settings.factor_bits, settings.group_size
    )
    if previous is None:
        return found
    errors = [metric.squared_norm(residual - pair.dense()) for pair in (found, previous)]
    return found if errors[0] <= errors[1] else previous


def error_feedback(target: torch.Tensor, metric: Metric, settings: MatrixSettings) -> Quantized:
    """Q by LDLQ, on a searched grid or in a codebook for normally distributed weights."""
    if settings.codebook != "scalar":
        codebook = trellis if settings.codebook == "trellis" else lattice
        scale = codebook.fitting_scale(target, settings.bits)
        rounder = codebook.Rounder(target.shape[0], target.shape[1], scale, settings.bits)
        ldlq(target, metric.natural, rounder)
        coded = rounder.matrix()
        return replace(coded, scale=coded.scale * _best_scale(target, coded.dense(), metric))
    feedback = _feedback(metric, settings)
    grid = fit_grid(
        target,
        settings.bits,
        settings.group_size,
        symmetric=settings.symmetric,
        importance=feedback.importance(),
    )
    values = ldlq(target, feedback, GridRounder(grid, feedback.order))
    return GroupedMatrix(grid.encode(values), grid)


def _best_scale(target: torch.Tensor, values: torch.Tensor, metric: Metric) -> float:
    """The factor on `values` that brings them nearest to `target`."""
    weighted = values @ metric.matrix
    whole = float((weighted * values).sum())
    return float((weighted * target).sum()) / whole if whole > 0 else 1.0


def _feedback(metric: Metric, settings: MatrixSettings) -> Feedback:
    return metric.by_activation if settings.activation_order else metric.natural
