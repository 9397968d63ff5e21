"""Rounding with error feedback (LDLQ, equal to GPTQ).

A matrix W [rows, columns] is rounded column by column, on a transposed copy so that a column is
contiguous; corrections between blocks of columns are one matrix product each (lazy updates).
"""

from typing import Protocol

import torch

from goodhart_gap.compression.metric import Feedback
from goodhart_gap.compression.quantizers import Grid, inverse

BLOCK = 128
"""Columns between two lazy updates."""


class ColumnRounder(Protocol):
    """Rounds `step` consecutive columns at a time, perhaps with a look at `lookahead` more."""

    step: int
    lookahead: int

    def round(
        self, columns: torch.Tensor, first: int, following: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Nearest representable values of `columns` [step, rows], which start at `first`.

        `following` [lookahead, rows] is what is wanted of the next columns, before they get to know
        the errors made here; None at the end and where no lookahead is asked for.
        """
        ...


class GridRounder:
    """Rounds single columns to a grid, in the order of a `Feedback`."""

    step = 1
    lookahead = 0

    def __init__(self, grid: Grid, order: torch.Tensor | None, *, transposed: bool = False) -> None:
        """Take the levels of `grid`; `transposed` if it describes the transpose of the matrix."""
        scale, offset = grid.expand()
        if not transposed:
            scale, offset = scale.T, offset.T
        if order is not None:
            scale, offset = scale[order], offset[order]
        self.scale = scale.contiguous()
        self.offset = offset.contiguous()
        self.inverse = inverse(self.scale)
        self.top = grid.top

    def round(
        self, columns: torch.Tensor, first: int, following: torch.Tensor | None = None
    ) -> torch.Tensor:
        """See `ColumnRounder`."""
        last = first + columns.shape[0]
        offset = self.offset[first:last]
        codes = (columns * self.inverse[first:last]).add_(offset).round_().clamp_(0, self.top)
        return codes.sub_(offset).mul_(self.scale[first:last])


def ldlq(weight: torch.Tensor, feedback: Feedback, rounder: ColumnRounder) -> torch.Tensor:
    """Round `weight` [rows, columns] float32 with error feedback; return the rounded matrix.

    Columns are taken in the order of `feedback` (the rounder's `first` counts in that order). With
    H = I this is rounding to nearest. A rounder that takes several columns at a time gets the
    feedback of the block triangular factorization.
    """
    source = transposed_copy(weight, feedback.order)
    columns = source.shape[0]
    step = rounder.step
    upper = feedback.upper if step == 1 else _block_unit(feedback.upper, step)
    errors = torch.zeros_like(source)
    rounded = torch.empty_like(source)
    width = max(step, BLOCK // step * step)
    for start in range(0, columns, width):
        stop = min(start + width, columns)
        seen = min(stop + rounder.lookahead, columns)
        target = source[start:seen].clone()
        if start:
            target.addmm_(upper[:start, start:seen].T, errors[:start])
        inner = upper[start:stop, start:seen].T.contiguous()
        block_errors = errors[start:stop]
        for first in range(0, stop - start, step):
            last = min(first + step, stop - start)
            end = min(last + rounder.lookahead, seen - start)
            wanted = target[first:end]
            if first:
                wanted = torch.addmm(wanted, inner[first:end, :first], block_errors[:first])
            following = wanted[last - first :] if end > last else None
            values = rounder.round(wanted[: last - first], start + first, following)
            rounded[start + first : start + last] = values
            torch.sub(source[start + first : start + last], values, out=block_errors[first:last])
    return restored_copy(rounded, feedback.order)


def _block_unit(upper: torch.Tensor, step: int) -> torch.Tensor:
    """Turn U of U D U^T into the factor whose diagonal blocks of `step` columns are identities."""
    result = upper.clone()
    for start in range(0, upper.shape[0], step):
        stop = min(start + step, upper.shape[0])
        corner = upper[start:stop, start:stop]
        result[:stop, start:stop] = torch.linalg.solve_triangular(
            corner, upper[:stop, start:stop], upper=True, left=False, unitriangular=True
        )
    return result


def transposed_copy(matrix: torch.Tensor, order: torch.Tensor | None) -> torch.Tensor:
    """The columns of `matrix` as contiguous rows, in `order`."""
    transposed = matrix.T if order is None else matrix.T[order]
    return transposed.contiguous()


def restored_copy(columns: torch.Tensor, order: torch.Tensor | None) -> torch.Tensor:
    """Undo `transposed_copy`."""
    if order is None:
        return columns.T.contiguous()
    restored = torch.empty_like(columns)
    restored[order] = columns
    return restored.T.contiguous()
