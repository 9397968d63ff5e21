"""The E8 lattice codebook E8P of QuIP# (Tseng et al., ICML 2024): 8 weights in 16 bits.

A codeword is (an entry of a table of 256 vectors of positive half-integers, the signs of its first
seven coordinates, a shift of all coordinates by +1/4 or -1/4); the eighth sign makes the sum of the
signed entry even. These are the shortest vectors of the lattice E8 + 1/4. More bits come from
quantizing what is left: 4 bits with a second E8P, 3 bits with 256 short vectors of E8 itself.
"""

import itertools
from dataclasses import dataclass
from functools import lru_cache

import torch

from goodhart_gap.compression.packing import pack, unpack

DIMENSION = 8

FIRST_SCALE = {2: 1.03, 3: 1.0, 4: 0.95}
"""Best standard deviation of normal weights in units of the lattice (measured)."""

RESIDUAL_SCALE = {3: 2.04, 4: 3.45}
"""How much finer the second codebook is than the first."""

_CHUNK = 8192
"""Vectors searched at once, to bound the memory of the distance table."""


@dataclass(frozen=True)
class LatticeMatrix:
    """Codewords of a [rows, columns] matrix; `first` (and `second`) int32 [rows, ceil(columns/8)].

    Q is scale * (first + second / RESIDUAL_SCALE).
    """

    first: torch.Tensor
    second: torch.Tensor | None
    scale: float
    bits: int
    columns: int

    def dense(self) -> torch.Tensor:
        """The matrix it stands for, float32."""
        rows = self.first.shape[0]
        values = decode(self.first)
        if self.second is not None:
            finer = decode(self.second) if self.bits == 4 else short_vectors()[self.second]
            values = values + finer / RESIDUAL_SCALE[self.bits]
        return values.reshape(rows, -1)[:, : self.columns] * self.scale

    def tensors(self) -> dict[str, torch.Tensor]:
        """What is stored: packed `codes`, `residual_codes` above 2 bits, and `scale`."""
        stored = {"codes": pack(self.first, 16), "scale": torch.tensor([self.scale])}
        if self.second is not None:
            stored["residual_codes"] = pack(self.second, 16 if self.bits == 4 else 8)
        return stored

    @staticmethod
    def from_tensors(stored: dict[str, torch.Tensor], bits: int, columns: int) -> "LatticeMatrix":
        """Undo `tensors`."""
        vectors = -(-columns // DIMENSION)
        first = unpack(stored["codes"], 16, vectors)
        second = None
        if bits > 2:
            second = unpack(stored["residual_codes"], 16 if bits == 4 else 8, vectors)
        return LatticeMatrix(first, second, float(stored["scale"]), bits, columns)


class Rounder:
    """Rounds 8 columns at a time; codes fill up as `ldlq` goes through the matrix."""

    step = DIMENSION

    def __init__(self, rows: int, columns: int, scale: float, bits: int) -> None:
        vectors = -(-columns // DIMENSION)
        self.first = torch.zeros(rows, vectors, dtype=torch.int32)
        self.second = torch.zeros(rows, vectors, dtype=torch.int32) if bits > 2 else None
        self.scale = scale
        self.bits = bits
        self._columns = columns

    def round(self, columns: torch.Tensor, first: int) -> torch.Tensor:
        """See `ColumnRounder`."""
        width = columns.shape[0]
        vectors = torch.nn.functional.pad(columns.T / self.scale, (0, DIMENSION - width))
        codes = encode(vectors)
        values = decode(codes)
        self.first[:, first // DIMENSION] = codes
        if self.second is not None:
            finer = RESIDUAL_SCALE[self.bits]
            rest = (vectors - values) * finer
            if self.bits == 4:
                codes = encode(rest)
                values = values + decode(codes) / finer
            else:
                codes = _nearest_short(rest)
                values = values + short_vectors()[codes] / finer
            self.second[:, first // DIMENSION] = codes
        return values[:, :width].T * self.scale

    def matrix(self) -> LatticeMatrix:
        """What has been rounded."""
        return LatticeMatrix(self.first, self.second, self.scale, self.bits, self._columns)


def fitting_scale(target: torch.Tensor, bits: int) -> float:
    """Lattice unit for a matrix of about normal entries."""
    return max(float(target.square().mean().sqrt()) / FIRST_SCALE[bits], 1e-30)


@lru_cache(maxsize=1)
def entries() -> torch.Tensor:
    """The 256 vectors of positive half-integers, float32 [256, 8].

    All 227 of squared norm up to 10, and of norm 12 the first 29 with five coordinates of 3/2.
    """
    short, long = [], []
    for halves in itertools.product((1, 3, 5), repeat=DIMENSION):
        norm = sum(value * value for value in halves) // 4
        if norm <= 10:
            short.append(halves)
        elif norm == 12 and halves.count(3) == 5:
            long.append(halves)
    return torch.tensor(short + long[: 256 - len(short)], dtype=torch.float32) / 2


@lru_cache(maxsize=1)
def short_vectors() -> torch.Tensor:
    """256 short vectors of E8, float32 [256, 8]: 240 roots, the origin, 15 of squared norm 4."""
    vectors = []
    for i, j in itertools.combinations(range(DIMENSION), 2):
        for a, b in itertools.product((-1.0, 1.0), repeat=2):
            vector = [0.0] * DIMENSION
            vector[i], vector[j] = a, b
            vectors.append(vector)
    for signs in itertools.product((-0.5, 0.5), repeat=DIMENSION):
        if signs.count(-0.5) % 2 == 0:
            vectors.append(list(signs))
    vectors.append([0.0] * DIMENSION)
    for i, sign in itertools.islice(itertools.product(range(DIMENSION), (-2.0, 2.0)), 15):
        vectors.append([sign if k == i else 0.0 for k in range(DIMENSION)])
    return torch.tensor(vectors)


def encode(vectors: torch.Tensor) -> torch.Tensor:
    """Codes int32 [n] of the codewords nearest to `vectors` [n, 8] float32."""
    return torch.cat([_encode(chunk) for chunk in vectors.split(_CHUNK)])


def decode(codes: torch.Tensor) -> torch.Tensor:
    """Codewords [..., 8] float32 of integer `codes` [...].

    Bits 0-7: table entry; 8-14: whether coordinates 0-6 are negative; 15: shift by -1/4.
    """
    codes = codes.to(torch.int64)
    table = entries().to(codes.device)
    chosen = table[codes & 255]
    places = torch.arange(7, device=codes.device)
    negative = (codes.unsqueeze(-1) >> (8 + places)) & 1
    odd = (negative.sum(dim=-1) + chosen.sum(dim=-1).to(torch.int64)) & 1
    negative = torch.cat([negative, odd.unsqueeze(-1)], dim=-1)
    shift = 0.25 - 0.5 * (codes >> 15).unsqueeze(-1).float()
    return chosen * (1.0 - 2.0 * negative.float()) + shift


def _encode(vectors: torch.Tensor) -> torch.Tensor:
    best, best_distance = None, None
    for shift_bit, shift in ((0, 0.25), (1, -0.25)):
        distance, codes = _signed_nearest(vectors - shift)
        codes = codes | shift_bit << 15
        if best is None or best_distance is None:
            best, best_distance = codes, distance
        else:
            best = torch.where(distance < best_distance, codes, best)
    assert best is not None
    return best.to(torch.int32)


def _signed_nearest(vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared distance and code of the nearest signed entry with an even sum.

    Best signs are those of x; if they make the sum odd, the coordinate where it costs least
    (|x_i| s_i smallest) is flipped, which adds 4 |x_i| s_i to the squared distance.
    """
    table = entries().to(vectors.device)
    size = vectors.abs()
    negative = (vectors < 0).to(torch.int64)
    distance = torch.cdist(size, table).square()
    cheapest = size[:, :1] * table[:, 0]
    for i in range(1, DIMENSION):
        cheapest = torch.minimum(cheapest, size[:, i : i + 1] * table[:, i])
    odd = (negative.sum(dim=1, keepdim=True) + table.sum(dim=1).to(torch.int64)) & 1
    distance = distance + 4 * cheapest * odd
    least, entry = distance.min(dim=1)
    chosen = table[entry]
    flip = (size * chosen).argmin(dim=1, keepdim=True)
    odd_chosen = odd.gather(1, entry.unsqueeze(1))
    negative = negative.scatter_add(1, flip, odd_chosen) & 1
    places = torch.arange(7, device=vectors.device)
    return least, entry | (negative[:, :7] << (8 + places)).sum(dim=1)


def _nearest_short(vectors: torch.Tensor) -> torch.Tensor:
    table = short_vectors().to(vectors.device)
    distance = table.square().sum(dim=1) - 2 * vectors @ table.T
    return distance.argmin(dim=1).to(torch.int32)
