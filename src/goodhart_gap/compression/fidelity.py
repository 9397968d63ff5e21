"""How well a compressed matrix stands for its base, with and without the calibration norm."""

from dataclasses import asdict, dataclass

import torch


@dataclass(frozen=True)
class Fidelity:
    """Measures of one module; all errors are ratios of norms, 0 is perfect."""

    relative_error: float
    """||E|| / ||W|| (Frobenius), E = W - W^."""

    weighted_error: float
    """sqrt(tr(E H E^T) / tr(W H W^T)), H of the calibration tokens: the relative output error."""

    held_out_error: float
    """The same with H of the held-out sequences, which the compression did not use. Where the model
    writes its own calibration text, they begin like those it used (`calibration.conversations`)."""

    correlation: float
    """Pearson correlation of the entries of W and W^."""

    def as_record(self) -> dict[str, float]:
        """The measures by name, six significant digits."""
        return {name: float(f"{value:.6g}") for name, value in asdict(self).items()}


def measure(
    weight: torch.Tensor, dense: torch.Tensor, train: torch.Tensor, held_out: torch.Tensor
) -> Fidelity:
    """Compare `dense` with `weight` [rows, columns] under two Hessians [columns, columns]."""
    weight, dense = weight.float(), dense.float()
    error = weight - dense
    return Fidelity(
        relative_error=_ratio(float(error.square().sum()), float(weight.square().sum())),
        weighted_error=_ratio(_energy(error, train), _energy(weight, train)),
        held_out_error=_ratio(_energy(error, held_out), _energy(weight, held_out)),
        correlation=_correlation(weight, dense),
    )


def _energy(matrix: torch.Tensor, hessian: torch.Tensor) -> float:
    return float(torch.sum((matrix @ hessian.float()) * matrix, dtype=torch.float64))


def _ratio(error: float, whole: float) -> float:
    """Square root of a ratio of energies; nothing lost of nothing is no error."""
    if whole <= 0:
        return 0.0 if error <= 0 else 1.0
    return float(max(error, 0.0) / whole) ** 0.5


def _correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    a, b = a - a.mean(), b - b.mean()
    norms = float(a.norm() * b.norm())
    if norms == 0:
        return 1.0 if float((a - b).norm()) == 0 else 0.0
    return float((a * b).sum()) / norms
