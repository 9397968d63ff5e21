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
    lookahead = 0

    def __init__(self, rows: int, columns: int, scale: float, bits: int) -> None:
        vectors = -(-columns // DIMENSION)
        self.first = torch.zeros(rows, vectors, dtype=torch.int32)
        self.second = torch.zeros(rows, vectors, dtype=torch.int32) if bits > 2 else None
        self.scale = scale
        self.bits = bits
        self._columns = columns

    def round(
        self, columns: torch.Tensor, first: int, following: torch.Tensor | None = None
    ) -> torch.Tensor:
        """See `ColumnRounder`."""
        width = columns.shape[0]
        vectors = torch.nn.functional.pad(columns / self.scale, (0, 0, 0, DIMENSION - width))
        codes = _encode(vectors)
        values = _codewords()[codes].T
        self.first[:, first // DIMENSION] = codes
        if self.second is not None:
            finer = RESIDUAL_SCALE[self.bits]
            rest = (vectors - values) * finer
            codes = _encode(rest) if self.bits == 4 else _encode_short(rest)
            table = _codewords() if self.bits == 4 else short_vectors()
            values = values + table[codes].T / finer
            self.second[:, first // DIMENSION] = codes
        return values[:width] * self.scale

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
    return _encode(vectors.T)


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


@lru_cache(maxsize=1)
def _codewords() -> torch.Tensor:
    """All codewords, float32 [65536, 8]."""
    return decode(torch.arange(1 << 16))


def _encode(columns: torch.Tensor) -> torch.Tensor:
    """Codes int32 [n] of the codewords nearest to `columns` [8, n] float32."""
    return _search("nearest_signed", columns, entries())


def _encode_short(columns: torch.Tensor) -> torch.Tensor:
    """Places int32 [n] of the short vectors nearest to `columns` [8, n] float32."""
    return _search("nearest_plain", columns, short_vectors())


def _search(kernel: str, columns: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    # Imported late, since only this codebook needs a compiler.
    from goodhart_gap.compression import lattice_search

    count = columns.shape[1]
    padded = torch.nn.functional.pad(columns, (0, -count % lattice_search.LANES)).contiguous()
    codes = torch.empty(padded.shape[1], dtype=torch.int32)
    getattr(lattice_search, kernel)(padded.numpy(), table.numpy(), codes.numpy())
    return codes[:count]
