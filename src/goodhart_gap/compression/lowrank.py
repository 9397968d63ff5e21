"""Rank-r fits in the Hessian norm: min over L, R of tr((A - L R) H (A - L R)^T).

With a free L and R the optimum is closed-form (a whitened SVD); with either held fixed the other
is a least-squares problem. Quantized factors are therefore fitted in turn, each against the other
as it will be stored, so that each absorbs the other's rounding error.
"""

from dataclasses import dataclass

import torch

from goodhart_gap.compression.ldlq import GridRounder, ldlq
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.quantizers import GroupedMatrix, fit_grid

EXACT_SIZE = 256
"""Up to this many rows the leading subspace comes from a full eigendecomposition."""

OVERSAMPLING = 8
POWER_STEPS = 8


FACTOR_DTYPE = torch.bfloat16
"""Number format of factors that are not quantized (`factor_bits: 16`)."""


@dataclass(frozen=True)
class Plain:
    """A matrix stored as it is, in `FACTOR_DTYPE`."""

    values: torch.Tensor

    def dense(self) -> torch.Tensor:
        """The matrix, float32."""
        return self.values.float()

    def tensors(self) -> dict[str, torch.Tensor]:
        """What is stored."""
        return {"values": self.values}


@dataclass(frozen=True)
class Factors:
    """L [rows, rank] and R [rank, columns], float32, and what is stored of them.

    `stored_left` holds L^T: groups run along the rows of the matrix for L and along its columns
    for R, so that each of the `rank` components has scales of its own.
    """

    left: torch.Tensor
    right: torch.Tensor
    stored_left: GroupedMatrix | Plain | None = None
    stored_right: GroupedMatrix | Plain | None = None

    def dense(self) -> torch.Tensor:
        """L R, float32 [rows, columns]."""
        return self.left @ self.right


def fit(matrix: torch.Tensor, metric: Metric, rank: int, steps: int = POWER_STEPS) -> Factors:
    """Best L (orthonormal columns) and R for `matrix` [rows, columns]; rank capped by its size.

    L spans the leading eigenvectors of A H A^T, and then R = L^T A whatever H is. The subspace is
    found by block power iteration (from a fixed start, with oversampling), or exactly where the
    matrix is small.
    """
    rows, columns = matrix.shape
    rank = min(rank, rows, columns)
    width = rank + OVERSAMPLING
    if rows <= EXACT_SIZE or 2 * width >= rows:
        gram = matrix @ (metric.matrix @ matrix.T)
        vectors = torch.linalg.eigh(gram.double()).eigenvectors.float()
        left = vectors[:, -rank:].flip(1)
        return Factors(left.contiguous(), left.T @ matrix)
    generator = torch.Generator().manual_seed(0)
    basis = torch.randn(rows, width, generator=generator).to(matrix.device)
    for _ in range(steps):
        basis = torch.linalg.qr(matrix @ (metric.matrix @ (matrix.T @ basis))).Q
    projected = basis.T @ matrix
    gram = projected @ metric.matrix @ projected.T
    vectors = torch.linalg.eigh(gram.double()).eigenvectors.float()
    left = basis @ vectors[:, -rank:].flip(1)
    return Factors(left, left.T @ matrix)


def refit_right(matrix: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
    """The best R for a given L: (L^T L)^+ L^T A, the same for every positive definite H."""
    return least_squares(left.T @ left, left.T @ matrix)


def fit_unweighted(matrix: torch.Tensor, rank: int) -> Factors:
    """Best rank-r fit in the Frobenius norm, singular values shared evenly (plain SVD)."""
    rank = min(rank, *matrix.shape)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    root = s[:rank].sqrt()
    return Factors(u[:, :rank] * root, root.unsqueeze(1) * v[:rank])


def quantize_plain(factors: Factors, bits: int, group_size: int) -> Factors:
    """Round both factors to nearest, each by itself."""
    left = _to_nearest(factors.left.T.contiguous(), bits, group_size)
    right = _to_nearest(factors.right.contiguous(), bits, group_size)
    return Factors(left.dense().T.contiguous(), right.dense(), left, right)


def quantize_alternating(
    matrix: torch.Tensor,
    start: Factors,
    metric: Metric,
    bits: int,
    group_size: int,
    sweeps: int = 2,
) -> Factors:
    """Quantize R by error feedback, refit L to it, quantize L, refit R to that, and so on.

    L given R is again an error-feedback problem, with R H R^T in the place of the Hessian. The best
    pair met is returned.
    """
    left = start.left
    best, best_error = start, float("inf")
    for _ in range(sweeps):
        stored_right = _store(refit_right(matrix, left), metric, bits, group_size)
        right = stored_right.dense()
        weighted = metric.matrix @ right.T
        gram, crossed = right @ weighted, matrix @ weighted
        wanted = least_squares(gram, crossed.T).T
        stored_left = _store(wanted, Metric(gram, damping=1e-4), bits, group_size, left=True)
        left = stored_left.dense().T.contiguous()
        # The squared error less that of the matrix itself, without another product with H.
        error = float(((left.T @ left) * gram).sum(dtype=torch.float64))
        error -= 2 * float((crossed * left).sum(dtype=torch.float64))
        if error < best_error:
            best, best_error = Factors(left, right, stored_left, stored_right), error
    return best


def _store(
    factor: torch.Tensor, metric: Metric, bits: int, group_size: int, *, left: bool = False
) -> GroupedMatrix | Plain:
    """Quantize R, or L (stored transposed), by error feedback under `metric`."""
    along = factor.T.contiguous() if left else factor
    if bits == 16:
        return Plain(along.to(FACTOR_DTYPE))
    feedback = metric.by_activation
    importance = None if left else feedback.importance()
    grid = fit_grid(along, bits, group_size, symmetric=True, importance=importance)
    values = ldlq(factor, feedback, GridRounder(grid, feedback.order, transposed=left))
    return GroupedMatrix(grid.encode(values.T.contiguous() if left else values), grid)


def _to_nearest(matrix: torch.Tensor, bits: int, group_size: int) -> GroupedMatrix | Plain:
    if bits == 16:
        return Plain(matrix.to(FACTOR_DTYPE))
    grid = fit_grid(matrix, bits, group_size, symmetric=True)
    return GroupedMatrix(grid.encode(matrix), grid)


def least_squares(gram: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Solve gram X = target for a positive semidefinite gram, by its pseudo-inverse.

    A factor quantized coarsely may have a zero or repeated row; directions it does not span get
    nothing.
    """
    values, vectors = torch.linalg.eigh(gram.double())
    keep = values > values[-1].clamp(min=0) * 1e-10
    scaled = torch.where(keep, 1.0 / values.clamp(min=1e-300), torch.zeros_like(values))
    solution = vectors @ (scaled.unsqueeze(1) * (vectors.T @ target.double()))
    return solution.float()
