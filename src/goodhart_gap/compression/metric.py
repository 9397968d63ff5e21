"""The norm in which errors are measured: tr(E H E^T), H = X^T X / n of a layer's inputs.

It equals the mean squared error of the layer's outputs on the calibration tokens, ||E X^T||^2 / n.
"""

from dataclasses import dataclass
from functools import cached_property

import torch

from goodhart_gap.compression.rotation import Rotation
from goodhart_gap.errors import GoodhartError


@dataclass(frozen=True)
class Feedback:
    """The factorization H[order, order] = U D U^T, U unit upper triangular, D diagonal.

    Then tr(E H E^T) = sum_k D_k ||(E U)_k||^2, and (E U)_k depends on columns 0..k only: rounding
    column k towards W_k + sum_{j<k} E_j U_jk leaves exactly the rounding error in each term (LDLQ;
    Chee et al., NeurIPS 2023, shown there to equal GPTQ). `order` is None for the natural order.
    """

    order: torch.Tensor | None
    upper: torch.Tensor
    diagonal: torch.Tensor

    def importance(self) -> torch.Tensor:
        """D in the natural order of the columns, [columns]: the price of rounding each column."""
        if self.order is None:
            return self.diagonal
        natural = torch.empty_like(self.diagonal)
        natural[self.order] = self.diagonal
        return natural


class Metric:
    """A damped Hessian [columns, columns] float32 with its factorizations, made when needed."""

    def __init__(self, hessian: torch.Tensor, damping: float) -> None:
        """Damp `hessian` by `damping` times its mean diagonal, so that it is positive definite.

        Raises GoodhartError if it is not square or holds a number that is not finite.
        """
        if hessian.ndim != 2 or hessian.shape[0] != hessian.shape[1]:
            raise GoodhartError(f"a Hessian must be square, not {list(hessian.shape)}.")
        if not bool(torch.isfinite(hessian).all()):
            raise GoodhartError(
                "the Hessian holds a number that is not finite; rerun the calibration."
            )
        hessian = hessian.float()
        self.matrix = (hessian + hessian.T) / 2
        mean = float(self.matrix.diagonal().mean())
        # Inputs that are all zero (a dead layer) still need a norm: any will do.
        self.matrix.diagonal().add_(damping * mean if mean > 0 else 1.0)

    @property
    def columns(self) -> int:
        """Width of the matrices it measures."""
        return self.matrix.shape[0]

    @cached_property
    def rotated(self) -> "Metric":
        """The norm of rotated errors: E' = U E V^T has in V H V^T the norm that E has in H."""
        into = Rotation(self.columns, "in")
        rotated = into.apply(into.apply(self.matrix).T)
        metric = Metric.__new__(Metric)
        metric.matrix = (rotated + rotated.T) / 2
        return metric

    def squared_norm(self, error: torch.Tensor) -> float:
        """tr(E H E^T) of `error` [rows, columns]."""
        return float(torch.sum((error @ self.matrix) * error, dtype=torch.float64))

    @cached_property
    def natural(self) -> Feedback:
        """Error feedback from the first column to the last."""
        return self._feedback(None)

    @cached_property
    def by_activation(self) -> Feedback:
        """Error feedback from the strongest input to the weakest (GPTQ's activation order)."""
        return self._feedback(self.ordered[0])

    @cached_property
    def ordered(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Columns from the strongest input to the weakest, and the Hessian in that order."""
        order = torch.argsort(self.matrix.diagonal(), descending=True, stable=True)
        return order, self.matrix[order][:, order].contiguous()

    def _feedback(self, order: torch.Tensor | None) -> Feedback:
        matrix = self.matrix if order is None else self.matrix[order][:, order]
        # Cholesky gives lower times upper; of the matrix reversed, and reversed back, it gives
        # upper times lower. float64, because the ill-conditioned ones lose digits here.
        factor = _cholesky(matrix.flip(0, 1).double()).flip(0, 1)
        diagonal = factor.diagonal()
        upper = (factor / diagonal).float()
        return Feedback(order, upper, diagonal.square().float())


def _cholesky(matrix: torch.Tensor) -> torch.Tensor:
    """Lower Cholesky factor, raising the diagonal a little more if rounding made it indefinite."""
    ridge = float(matrix.diagonal().mean()) * 1e-8
    for _ in range(8):
        factor, failed = torch.linalg.cholesky_ex(matrix)
        if not int(failed):
            return factor
        matrix = matrix.clone()
        matrix.diagonal().add_(ridge)
        ridge *= 10
    raise GoodhartError("the Hessian is not positive semidefinite; rerun the calibration.")
