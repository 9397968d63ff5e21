"""Randomized orthogonal rotations that spread outliers over a whole row (incoherence processing).

A length n = 2^k m (m odd) is rotated by diag(signs), then H_{2^k} (x) C_m: the Walsh-Hadamard
transform along the power of two and the orthonormal cosine transform (DCT-II) along the rest. Both
have entries of magnitude about 1/sqrt(n), so every size is served without a table of Hadamard
matrices (QuIP#, Tseng et al. 2024, uses the plain transform where n is a power of two).

Signs come from SHAKE-256 of "side:length", so nothing has to be stored and no random number
generator's version matters.
"""

import hashlib
import math
from functools import lru_cache

import torch


class Rotation:
    """An orthogonal [size, size] matrix V, applied to the last axis of a tensor: x -> x V^T."""

    def __init__(self, size: int, side: str) -> None:
        """`side` (`in` or `out`) makes the two rotations of a square matrix differ."""
        self.size = size
        self.power = size & -size
        self.signs = _signs(size, side)

    def apply(self, values: torch.Tensor) -> torch.Tensor:
        """V x for every row x of `values` [..., size], float32."""
        shape = values.shape
        signs = self.signs.to(values.device)
        mixed = _hadamard((values * signs).reshape(-1, self.size // self.power, self.power))
        odd = self.size // self.power
        if odd > 1:
            mixed = torch.einsum("ab,nbp->nap", _cosine(odd).to(values.device), mixed)
        return mixed.reshape(shape)

    def invert(self, values: torch.Tensor) -> torch.Tensor:
        """V^T y for every row y of `values` [..., size], float32."""
        shape = values.shape
        odd = self.size // self.power
        mixed = values.reshape(-1, odd, self.power)
        if odd > 1:
            mixed = torch.einsum("ba,nbp->nap", _cosine(odd).to(values.device), mixed)
        return _hadamard(mixed).reshape(shape) * self.signs.to(values.device)


def rotate_weight(weight: torch.Tensor) -> torch.Tensor:
    """U W V^T of a weight [rows, columns], float32."""
    rows, columns = weight.shape
    turned = Rotation(columns, "in").apply(weight)
    return Rotation(rows, "out").apply(turned.T).T.contiguous()


def restore_weight(rotated: torch.Tensor) -> torch.Tensor:
    """Undo `rotate_weight`: U^T W' V."""
    rows, columns = rotated.shape
    turned = Rotation(columns, "in").invert(rotated)
    return Rotation(rows, "out").invert(turned.T).T.contiguous()


def _hadamard(values: torch.Tensor) -> torch.Tensor:
    """Orthonormal Walsh-Hadamard transform (its own inverse) of the last axis, a power of two."""
    size = values.shape[-1]
    shape = values.shape
    step = 1
    while step < size:
        pairs = values.reshape(*shape[:-1], size // (2 * step), 2, step)
        first, second = pairs[..., 0, :], pairs[..., 1, :]
        values = torch.stack((first + second, first - second), dim=-2).reshape(shape)
        step *= 2
    return values / math.sqrt(size)


@lru_cache(maxsize=8)
def _cosine(size: int) -> torch.Tensor:
    """Orthonormal DCT-II matrix [size, size], float32."""
    frequency = torch.arange(size, dtype=torch.float64).unsqueeze(1)
    position = torch.arange(size, dtype=torch.float64).unsqueeze(0)
    matrix = torch.cos(torch.pi / size * (position + 0.5) * frequency) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix.float()


def _signs(size: int, side: str) -> torch.Tensor:
    digest = hashlib.shake_256(f"{side}:{size}".encode()).digest((size + 7) // 8)
    bits = torch.tensor(list(digest), dtype=torch.uint8)
    bits = (bits.unsqueeze(1) >> torch.arange(8, dtype=torch.uint8)) & 1
    return 1.0 - 2.0 * bits.reshape(-1)[:size].float()
