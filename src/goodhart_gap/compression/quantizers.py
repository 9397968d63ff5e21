"""Groupwise scalar quantizers: a grid of 2^bits levels for each run of `group_size` columns.

A weight w in group g of its row is stored as an integer code c with

    w ~ scale_g * (c - offset_g),   c in 0 .. 2^bits - 1,

where the offset is a stored integer zero point (asymmetric) or the fixed centre (2^bits - 1) / 2
(symmetric, so that the levels are +-1/2, +-3/2, ... scales and none is wasted). The last group of
a row may be narrower than the others. Scales are kept in bfloat16: their rounding happens before
codes are chosen, so it costs nothing measurable, and no weight is too small or large for it.
"""

from dataclasses import dataclass

import torch

from goodhart_gap.compression.packing import pack, unpack

SCALE_DTYPE = torch.bfloat16

SHRINKS = torch.linspace(1.0, 0.45, 23)
"""Candidates of the scale search, as shares of the scale that just covers the group."""


@dataclass(frozen=True)
class Grid:
    """The levels of a [rows, columns] matrix.

    `scales` [rows, groups] float32 (values that bfloat16 holds exactly), `zeros` [rows, groups]
    float32 integers, or None for a symmetric grid.
    """

    scales: torch.Tensor
    zeros: torch.Tensor | None
    bits: int
    group_size: int
    columns: int

    @property
    def top(self) -> int:
        """The largest code."""
        return (1 << self.bits) - 1

    def expand(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale and offset of each entry, both float32 [rows, columns]."""
        offsets = self.zeros
        if offsets is None:
            offsets = torch.full_like(self.scales, self.top / 2)
        return self._spread(self.scales), self._spread(offsets)

    def encode(self, weight: torch.Tensor) -> torch.Tensor:
        """Codes of the levels nearest to `weight` [rows, columns], as float32 integers."""
        scale, offset = self.expand()
        return torch.round(weight * inverse(scale) + offset).clamp_(0, self.top)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Weights that `codes` [rows, columns] stand for, float32."""
        scale, offset = self.expand()
        return (codes - offset) * scale

    def _spread(self, groups: torch.Tensor) -> torch.Tensor:
        return groups.repeat_interleave(self.group_size, dim=1)[:, : self.columns].contiguous()


@dataclass(frozen=True)
class GroupedMatrix:
    """A quantized [rows, columns] matrix: float32 integer `codes` on their `grid`."""

    codes: torch.Tensor
    grid: Grid

    def dense(self) -> torch.Tensor:
        """The matrix it stands for, float32."""
        return self.grid.decode(self.codes)

    def tensors(self) -> dict[str, torch.Tensor]:
        """What is stored: packed `codes`, `scales`, and packed `zeros` if asymmetric."""
        grid = self.grid
        stored = {
            "codes": pack(self.codes.to(torch.int64), grid.bits),
            "scales": grid.scales.to(SCALE_DTYPE),
        }
        if grid.zeros is not None:
            stored["zeros"] = pack(grid.zeros.to(torch.int64), grid.bits)
        return stored

    @staticmethod
    def from_tensors(
        stored: dict[str, torch.Tensor], bits: int, group_size: int, columns: int
    ) -> "GroupedMatrix":
        """Undo `tensors`."""
        scales = stored["scales"].float()
        zeros = stored.get("zeros")
        if zeros is not None:
            zeros = unpack(zeros, bits, scales.shape[1]).float()
        codes = unpack(stored["codes"], bits, columns).float()
        return GroupedMatrix(codes, Grid(scales, zeros, bits, group_size, columns))


def inverse(scale: torch.Tensor) -> torch.Tensor:
    """1 / scale, and 0 where the scale is 0 (an all-zero group decodes to zeros from any code).

    A subnormal scale counts as 0: its inverse may be infinite, and 0 times that is not a number.
    """
    normal = scale >= torch.finfo(scale.dtype).tiny
    return torch.where(normal, 1.0 / scale, torch.zeros_like(scale))


def fit_grid(
    weight: torch.Tensor,
    bits: int,
    group_size: int,
    *,
    symmetric: bool,
    importance: torch.Tensor | None = None,
    search: bool = True,
) -> Grid:
    """Choose scales (and zero points) for `weight` [rows, columns] float32.

    Without `search` each group's grid just covers its range. With it, each group takes, of the
    shrunken grids in `SHRINKS`, the one with the least squared rounding error, columns weighted by
    `importance` [columns]; a last least-squares step on the scale is kept where it helps.
    """
    rows, columns = weight.shape
    groups = -(-columns // group_size)
    padding = groups * group_size - columns
    blocks = torch.nn.functional.pad(weight, (0, padding)).view(rows, groups, group_size)
    if importance is None:
        importance = weight.new_ones(columns)
    shares = torch.nn.functional.pad(importance, (0, padding)).view(groups, group_size)
    top = (1 << bits) - 1
    if symmetric:
        # (2 max|w|) / top spreads the outermost levels onto the extremes.
        full = blocks.abs().amax(dim=-1) * (2 / top)
        low = None
    else:
        low = blocks.amin(dim=-1).clamp(max=0)
        full = (blocks.amax(dim=-1).clamp(min=0) - low) / top
    best = _candidate(full, full, low, top)
    if search:
        best = _search(blocks, shares, full, low, best, top)
    return Grid(*best, bits=bits, group_size=group_size, columns=columns)


Levels = tuple[torch.Tensor, torch.Tensor | None]


def _search(
    blocks: torch.Tensor,
    shares: torch.Tensor,
    full: torch.Tensor,
    low: torch.Tensor | None,
    best: Levels,
    top: int,
) -> Levels:
    """Try every shrunken grid, then a least-squares step on the scale of the winner."""
    best_error = _error(blocks, shares, best, top)
    for shrink in SHRINKS[1:].tolist():
        trial = _candidate(full * shrink, full, low, top)
        best, best_error = _keep(best, best_error, trial, _error(blocks, shares, trial, top))
    codes, offset, _ = _round(blocks, best, top)
    steps = codes.sub_(offset)
    products = (shares * blocks * steps).sum(dim=-1)
    scales = products * inverse((shares * steps * steps).sum(dim=-1))
    trial = (_stored(scales.clamp(min=0)), best[1])
    return _keep(best, best_error, trial, _error(blocks, shares, trial, top))[0]


def _candidate(
    scale: torch.Tensor, full: torch.Tensor, low: torch.Tensor | None, top: int
) -> Levels:
    """Storable scale, and the zero point that keeps the group's centre where it was."""
    scale = _stored(scale)
    if low is None:
        return scale, None
    middle = low + full * (top / 2)
    return scale, torch.round(top / 2 - middle * inverse(scale)).clamp_(0, top)


def _stored(scale: torch.Tensor) -> torch.Tensor:
    return scale.to(SCALE_DTYPE).float()


def _round(
    blocks: torch.Tensor, levels: Levels, top: int
) -> tuple[torch.Tensor, torch.Tensor | float, torch.Tensor]:
    """Codes [rows, groups, group_size], and the offset and scale that broadcast with them."""
    scale = levels[0].unsqueeze(-1)
    offset = top / 2 if levels[1] is None else levels[1].unsqueeze(-1)
    codes = (blocks * inverse(scale)).add_(offset).round_().clamp_(0, top)
    return codes, offset, scale


def _error(blocks: torch.Tensor, shares: torch.Tensor, levels: Levels, top: int) -> torch.Tensor:
    """Weighted squared error [rows, groups] of rounding to a grid."""
    codes, offset, scale = _round(blocks, levels, top)
    return codes.sub_(offset).mul_(scale).sub_(blocks).square_().mul_(shares).sum(dim=-1)


def _keep(
    old: Levels, old_error: torch.Tensor, new: Levels, new_error: torch.Tensor
) -> tuple[Levels, torch.Tensor]:
    """Take, group by group, whichever has the lesser error."""
    better = new_error < old_error
    zeros = None
    if old[1] is not None and new[1] is not None:
        zeros = torch.where(better, new[1], old[1])
    return (torch.where(better, new[0], old[0]), zeros), torch.where(better, new_error, old_error)
