"""Descent on the codes and scales of a quantized matrix, after error feedback.

Error feedback never looks back; a few percent of the error are left to be gained by revisiting
each column, and each scale, given all the others. No step here raises tr(E H E^T), E = W - Q.
"""

import torch

from goodhart_gap.compression.ldlq import (
    BLOCK,
    GridRounder,
    restored_copy,
    transposed_copy,
)
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.quantizers import SCALE_DTYPE, Grid, GroupedMatrix


def refine(
    weight: torch.Tensor, matrix: GroupedMatrix, metric: Metric, sweeps: int
) -> GroupedMatrix:
    """Alternate `descend` and `rescale`, `sweeps` times; return the better codes and scales."""
    for _ in range(sweeps):
        values = descend(weight, matrix.dense(), metric, matrix.grid)
        matrix = GroupedMatrix(matrix.grid.encode(values), matrix.grid)
        matrix = rescale(weight, matrix, metric)
    return matrix


def rescale(weight: torch.Tensor, matrix: GroupedMatrix, metric: Metric) -> GroupedMatrix:
    """Least-squares scale of each group given the codes and all other groups, one group at a time.

    A scale moves only if its stored (rounded) value still lowers the error.
    """
    grid = matrix.grid
    _, offset = grid.expand()
    steps = matrix.codes - offset
    errors = weight - matrix.dense()
    scales = grid.scales.clone()
    for group in range(scales.shape[1]):
        start = group * grid.group_size
        stop = min(start + grid.group_size, grid.columns)
        inner = steps[:, start:stop]
        pull = ((errors @ metric.matrix[:, start:stop]) * inner).sum(dim=1)
        stiffness = ((inner @ metric.matrix[start:stop, start:stop]) * inner).sum(dim=1)
        wanted = scales[:, group] + pull / stiffness.clamp(min=1e-30)
        stored = wanted.clamp(min=0).to(SCALE_DTYPE).float()
        move = stored - scales[:, group]
        gain = 2 * move * pull - move * move * stiffness
        move = torch.where(gain > 0, move, torch.zeros_like(move))
        scales[:, group] += move
        errors[:, start:stop] -= move.unsqueeze(1) * inner
    moved = Grid(scales, grid.zeros, grid.bits, grid.group_size, grid.columns)
    return GroupedMatrix(matrix.codes, moved)


def descend(
    weight: torch.Tensor, rounded: torch.Tensor, metric: Metric, grid: Grid
) -> torch.Tensor:
    """Coordinate descent on the codes: move each column to the level that is best given the rest.

    Every step lowers tr((W - Q) H (W - Q)^T) or leaves it as it is; error feedback, which never
    looks back, leaves a few percent to be gained. Returns the new `rounded` [rows, columns].
    """
    order, hessian = metric.ordered
    rounder = GridRounder(grid, order)
    values = transposed_copy(rounded, order)
    slope = hessian @ (transposed_copy(weight, order) - values)
    columns = slope.shape[0]
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        inner = hessian[start:stop, start:stop].contiguous()
        steepness = inner.diagonal().tolist()
        local = slope[start:stop]
        moves = torch.zeros_like(local)
        for k in range(stop - start):
            now = values[start + k : start + k + 1]
            pull = local[k : k + 1]
            if k:
                pull = torch.addmm(pull, inner[k : k + 1, :k], moves[:k], alpha=-1)
            new = rounder.round(torch.add(now, pull, alpha=1 / steepness[k]), start + k)
            torch.sub(new, now, out=moves[k : k + 1])
            values[start + k : start + k + 1] = new
        if stop < columns:
            slope[stop:].addmm_(hessian[stop:, start:stop], moves, alpha=-1)
    return restored_copy(values, order)
