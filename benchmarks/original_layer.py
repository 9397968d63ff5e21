"""A layer as the original experiment held it: codes as int8, all else as numbers, Q + L R a call.

Nothing is packed, so a 4-bit code takes eight bits, and no bit is unpacked: a call turns codes into
numbers, takes zero points off, multiplies by scales and adds L R, all in the format of its inputs.
"""

import torch

from goodhart_gap.compression.format import restore
from goodhart_gap.compression.quantizers import GroupedMatrix
from goodhart_gap.runtime.linear import CalderaLinear


class OriginalLinear(torch.nn.Module):
    """The same weight as that of a `CalderaLinear`, formed anew at every call."""

    def __init__(self, layer: CalderaLinear, dtype: torch.dtype) -> None:
        """Take over `layer`, which is not prepared, on the device it is on; compute in `dtype`.

        Raises ValueError for a layer of more than 4 bits, of a vector codebook or of rotated
        weights: the original knew none of them.
        """
        super().__init__()
        found = restore(layer.parts(), layer.record)
        matrix = found.quantized
        if found.rotated or not isinstance(matrix, GroupedMatrix) or matrix.grid.bits > 4:
            raise ValueError("the original had plain grids of 4 bits at most, and no rotation")
        grid = matrix.grid
        self.columns, self.bias = grid.columns, layer.bias
        scales = grid.scales.unsqueeze(-1)
        zeros = torch.full_like(scales, grid.top / 2)
        if grid.zeros is not None:
            zeros = grid.zeros.unsqueeze(-1)
        padding = grid.scales.shape[1] * grid.group_size - grid.columns
        codes = torch.nn.functional.pad(matrix.codes.to(torch.int8), (0, padding))
        # [rows, groups, columns of a group]; scales and zero points [rows, groups, 1].
        self.codes = torch.nn.Buffer(codes.unflatten(1, (-1, grid.group_size)))
        self.scales, self.zeros = (torch.nn.Buffer(x.to(dtype)) for x in (scales, zeros))
        factors = found.factors
        self.register_buffer("left", None if factors is None else factors.left.to(dtype))
        self.register_buffer("right", None if factors is None else factors.right.to(dtype))

    def weight(self) -> torch.Tensor:
        """Q + L R [outputs, inputs]."""
        found = ((self.codes - self.zeros) * self.scales).flatten(1)[:, : self.columns]
        return found if self.left is None else found + self.left @ self.right

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return x W^T + b for `inputs` [..., inputs], in the format the layer computes in."""
        return torch.nn.functional.linear(inputs, self.weight(), self.bias)
