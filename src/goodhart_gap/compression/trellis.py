"""Trellis-coded quantization: each weight costs `bits` bits, yet has 2^STATE_BITS possible values.

In the manner of QTIP (Tseng et al., NeurIPS 2024), with its bitshift trellis. A stream of weights
is coded as a stream of `bits`-bit codes; the value at a position is looked up by the state, the
last STATE_BITS bits of the stream so far:

    state_t = (state_{t-1} << bits | code_t) mod 2^STATE_BITS,    w_t ~ scale * TABLE[state_t].

The table holds the 2^STATE_BITS quantiles of the normal distribution in a scrambled order, so it
suits rotated weights, and neighbouring states are unlike. The Viterbi algorithm finds the stream of
least squared error; at 2 bits it leaves about 0.075 of the variance, a scalar grid 0.119.

A stream runs down the rows of one tile (`tile_rows` rows), column after column, and starts from
state 0 in the first column. Error feedback works on `step` columns at a time, so that a stretch of
step * tile_rows weights is coded at once, from the state the one before ended in.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import torch

from goodhart_gap.compression.accounting import trellis_tile_rows
from goodhart_gap.compression.packing import pack, unpack

STATE_BITS = 12

SPREAD = {2: 1.03, 3: 1.05, 4: 1.08}
"""Best ratio of the table's scale to the weights' standard deviation (measured on normal noise)."""

STEP = 4
"""Columns coded at once: few, since they get no feedback from one another."""

LOOKAHEAD = 8
"""Weights beyond those columns that have a say in the state they end in, from which the next
columns have to start."""

FEW_LANES, MANY_LANES = 16, 32
"""Streams searched side by side: the more the faster, if they are there."""


@dataclass(frozen=True)
class TrellisMatrix:
    """A coded [rows, columns] matrix: `codes` (uint8, one a weight) and one float32 `scale`."""

    codes: torch.Tensor
    scale: float
    bits: int

    def dense(self) -> torch.Tensor:
        """The matrix it stands for, float32."""
        rows, columns = self.codes.shape
        height = trellis_tile_rows(rows)
        whole = rows // height * height
        parts = [_decode(self.codes[:whole].view(-1, height, columns), self.bits)]
        if whole < rows:
            parts.append(_decode(self.codes[whole:].unsqueeze(0), self.bits))
        return torch.cat([part.reshape(-1, columns) for part in parts]) * self.scale

    def tensors(self) -> dict[str, torch.Tensor]:
        """What is stored: packed `codes` and `scale`."""
        scale = torch.tensor([self.scale], dtype=torch.float32)
        return {"codes": pack(self.codes, self.bits), "scale": scale}

    @staticmethod
    def from_tensors(stored: dict[str, torch.Tensor], bits: int, columns: int) -> "TrellisMatrix":
        """Undo `tensors`."""
        codes = unpack(stored["codes"], bits, columns).to(torch.uint8)
        return TrellisMatrix(codes, float(stored["scale"]), bits)


class Rounder:
    """Codes `STEP` columns at a time; `codes` fills up as `ldlq` goes through the matrix."""

    step = STEP
    lookahead = 1

    def __init__(self, rows: int, columns: int, scale: float, bits: int) -> None:
        self.codes = torch.zeros(rows, columns, dtype=torch.uint8)
        self.scale = scale
        self.bits = bits
        self._height = trellis_tile_rows(rows)
        self._states = [0] * -(-rows // self._height)

    def round(
        self, columns: torch.Tensor, first: int, following: torch.Tensor | None = None
    ) -> torch.Tensor:
        """See `ColumnRounder`."""
        width, rows = columns.shape
        result = torch.empty_like(columns)
        whole = rows // self._height
        edge = whole * self._height
        for start, stop, tiles in ((0, edge, slice(0, whole)), (edge, rows, slice(whole, None))):
            if start == stop:
                continue
            height = min(self._height, stop - start)
            # [width, tiles, height] -> a stream per tile, one column after another.
            streams = columns[:, start:stop].reshape(width, -1, height).transpose(0, 1)
            streams = streams.reshape(streams.shape[0], -1)
            ahead = 0
            if following is not None:
                ahead = min(LOOKAHEAD, height)
                after = following[0, start:stop].reshape(-1, height)[:, :ahead]
                streams = torch.cat([streams, after], dim=1)
            codes, values, self._states[tiles] = encode_streams(
                streams / self.scale, self._states[tiles], self.bits, ahead
            )
            self.codes[start:stop, first : first + width] = (
                codes.view(-1, width, height).transpose(1, 2).reshape(-1, width)
            )
            result[:, start:stop] = (
                values.view(-1, width, height).transpose(0, 1).reshape(width, -1)
            )
        return result * self.scale

    def matrix(self) -> TrellisMatrix:
        """What has been rounded."""
        return TrellisMatrix(self.codes, self.scale, self.bits)


def fitting_scale(target: torch.Tensor, bits: int) -> float:
    """Scale of the table for a matrix of about normal entries."""
    return max(float(target.square().mean().sqrt()) * SPREAD[bits], 1e-30)


@lru_cache(maxsize=1)
def table() -> torch.Tensor:
    """Value of each state, float32 [2^STATE_BITS]."""
    size = 1 << STATE_BITS
    digest = hashlib.shake_256(b"trellis").digest(8 * size)
    words = torch.tensor([int.from_bytes(digest[8 * i : 8 * i + 7], "little") for i in range(size)])
    ranks = torch.argsort(torch.argsort(words))
    return torch.special.ndtri((ranks.double() + 0.5) / size).float()


def encode_streams(
    streams: torch.Tensor, states: list[int], bits: int, ahead: int = 0
) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    """Best codes of `streams` [n, length + ahead] float32 from their start `states`.

    The last `ahead` positions are not coded, but the states that the others end in suit them.
    Returns codes uint8 and values float32, both [n, length], and the states at the end.
    """
    # Imported late, since only this codebook needs a compiler.
    from goodhart_gap.compression.viterbi import search

    count, length = streams.shape
    lanes = MANY_LANES if count > FEW_LANES else FEW_LANES
    kernel = search(bits, lanes)
    values = table()
    groups = range(0, count, lanes)

    def encode(start: int) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
        chunk = torch.zeros(length, lanes)
        size = min(lanes, count - start)
        chunk[:, :size] = streams[start : start + size].T
        begin = torch.zeros(lanes, dtype=torch.int64)
        begin[:size] = torch.tensor(states[start : start + size])
        codes = torch.zeros(length - ahead, lanes, dtype=torch.uint8)
        decoded = torch.zeros(length - ahead, lanes)
        # Anything beyond six deviations is coded like six, so that no outlier drowns the others.
        chunk.clamp_(-6, 6)
        ends = torch.empty(lanes, dtype=torch.int64)
        arrays = (chunk, begin, values, codes, decoded, ends)
        kernel(*(array.numpy() for array in arrays))
        return codes[:, :size].T, decoded[:, :size].T, ends[:size].tolist()

    workers = min(torch.get_num_threads(), len(groups))
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(encode, groups))
    else:
        found = [encode(start) for start in groups]
    codes, decoded, ends = zip(*found, strict=True)
    return torch.cat(codes), torch.cat(decoded), [state for part in ends for state in part]


def _decode(tiles: torch.Tensor, bits: int) -> torch.Tensor:
    """Values [tiles, height, columns] of codes of the same shape."""
    count, height, columns = tiles.shape
    if not count:
        return torch.empty(0, height, columns)
    streams = tiles.transpose(1, 2).reshape(count, -1)
    values = table()[_states(streams, bits, torch.zeros(count, dtype=torch.int64))]
    return values.view(count, columns, height).transpose(1, 2)


def _states(codes: torch.Tensor, bits: int, starts: torch.Tensor) -> torch.Tensor:
    """State at each position [n, length] of the streams `codes`, begun in the states `starts`."""
    memory = -(-STATE_BITS // bits)
    top = (1 << bits) - 1
    shifts = torch.arange(memory - 1, -1, -1) * bits
    history = (starts.unsqueeze(1) >> shifts) & top
    stream = torch.cat([history, codes.long()], dim=1)
    length = codes.shape[1]
    states = torch.zeros(codes.shape, dtype=torch.int64)
    for age in range(memory):
        states |= stream[:, memory - age : memory - age + length] << (age * bits)
    return states & ((1 << STATE_BITS) - 1)
