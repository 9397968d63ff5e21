"""The error a matrix will have, foreseen from its Hessian: nothing of it is compressed.

Error feedback leaves tr(E H E^T) = sum_k D_k ||r_k||^2, r_k being what rounding leaves of column k
and D that of `metric.Feedback`. A rotated weight is about normal, of one variance in all columns,
so of each column the quantizer leaves the same share s of its energy:

    tr(E H E^T) ~ s ||W||_F^2 mean(D).

s is what the same settings leave of normal noise of that shape under H = I, where D = 1: measured
once for a shape, low-rank part and all. (QuIP bounds the error of LDLQ by tr(D) in the same way;
Chee et al., NeurIPS 2023, theorem 1.) On SmolLM2 what comes is within a few hundredths of what was
foreseen in all blocks but the first, whose weights are least like noise.
"""

from functools import cache

import torch

from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric
from goodhart_gap.errors import GoodhartError

LARGEST_NOISE = 1024
"""The shorter side of the noise, at most: larger shapes shrink to it, the rank in proportion."""


def exposure(weight: torch.Tensor, metric: Metric) -> float:
    """||W||_F^2 mean(D) / tr(W H W^T): the lost share of output energy, were s one.

    `weight` is [rows, columns] of any float dtype, `metric` the damped Hessian of its inputs; D is
    that of the rotated Hessian, in the natural order. 0 of a weight that has no output.
    """
    weight = weight.float()
    whole = metric.squared_norm(weight)
    if whole <= 0:
        return 0.0
    energy = float(weight.square().sum(dtype=torch.float64))
    return energy * float(metric.rotated.natural.diagonal.double().mean()) / whole


def share_left(rows: int, columns: int, settings: MatrixSettings) -> float:
    """s: the share of the energy of normal noise [rows, columns] that `settings` leave.

    Raises GoodhartError without `hadamard`: weights as they are have outliers, and are no noise.
    """
    if not settings.hadamard or settings.method not in ("caldera", "gptq"):
        raise GoodhartError(
            "errors are foreseen of rotated weights with error feedback alone: give hadamard: true "
            "and method caldera or gptq."
        )
    factor = max(1.0, min(rows, columns) / LARGEST_NOISE)
    rank = round(settings.rank / factor) if settings.factored else 0
    small = settings.model_copy(update={"rank": max(rank, min(1, settings.rank))})
    return _share_left(round(rows / factor), round(columns / factor), small.model_dump_json())


def foreseen_error(weight: torch.Tensor, metric: Metric, settings: MatrixSettings) -> float:
    """||(W - W^) X|| / ||W X|| on the calibration tokens, as `settings` will leave it, about."""
    rows, columns = weight.shape
    return (exposure(weight, metric) * share_left(rows, columns, settings)) ** 0.5


@cache
def _share_left(rows: int, columns: int, settings: str) -> float:
    noise = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    identity = Metric(torch.eye(columns), 1e-9)
    parsed = MatrixSettings.model_validate_json(settings)
    found = compress_matrix(noise, identity, parsed, "noise").dense()
    return float((noise - found).square().sum() / noise.square().sum())
