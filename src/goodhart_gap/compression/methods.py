"""The methods by name: what becomes of one weight matrix.

A method takes a weight [rows, columns] float32, the metric of its inputs and the settings, and
returns the approximation that is stored. Its name stands here and in `MatrixSettings.method`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from goodhart_gap.compression import lowrank
from goodhart_gap.compression.caldera import Approximation, caldera, error_feedback
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.quantizers import GroupedMatrix, fit_grid
from goodhart_gap.compression.rotation import rotate_weight
from goodhart_gap.errors import GoodhartError

Method = Callable[[torch.Tensor, Metric, MatrixSettings], Approximation]


def compress_matrix(
    weight: torch.Tensor, metric: Metric, settings: MatrixSettings, module: str
) -> Approximation:
    """Compress `weight` [rows, columns] (any float dtype) by `settings.method`.

    `metric` is the damped Hessian [columns, columns] of the module's inputs. Raises GoodhartError
    naming `module` if a weight is not finite or the Hessian is of another width.
    """
    weight = weight.float()
    if not bool(torch.isfinite(weight).all()):
        raise GoodhartError(
            f"{module}: the weight holds a number that is not finite; fetch the checkpoint again."
        )
    if metric.columns != weight.shape[1]:
        raise GoodhartError(
            f"{module}: the weight has {weight.shape[1]} inputs but its Hessian "
            f"{metric.columns}; rerun the calibration of this shard."
        )
    method = METHODS[settings.method]
    if settings.hadamard:
        return replace(method(rotate_weight(weight), metric.rotated, settings), rotated=True)
    return method(weight, metric, settings)


def gptq(weight: torch.Tensor, metric: Metric, settings: MatrixSettings) -> Approximation:
    """Q alone, by error feedback."""
    return Approximation(error_feedback(weight, metric, settings), None)


def rtn(weight: torch.Tensor, _metric: Metric, settings: MatrixSettings) -> Approximation:
    """Q alone, rounded to nearest on grids that cover their groups."""
    grid = fit_grid(
        weight, settings.bits, settings.group_size, symmetric=settings.symmetric, search=False
    )
    return Approximation(GroupedMatrix(grid.encode(weight), grid), None)


def svd_residual(weight: torch.Tensor, metric: Metric, settings: MatrixSettings) -> Approximation:
    """Rounded Q, and an unweighted SVD of what it leaves: what the original experiment ran."""
    rounded = rtn(weight, metric, settings)
    if settings.rank == 0:
        return rounded
    factors = lowrank.fit_unweighted(weight - rounded.dense(), settings.rank)
    stored = lowrank.quantize_plain(factors, settings.factor_bits, settings.group_size)
    return replace(rounded, factors=stored)


METHODS: Mapping[str, Method] = {
    "caldera": caldera,
    "gptq": gptq,
    "rtn": rtn,
    "svd-residual": svd_residual,
}
