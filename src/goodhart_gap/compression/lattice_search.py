"""The nearest codewords of the E8 codebooks, compiled by numba.

`LANES` vectors are compared side by side with one table entry after another, so that the inner loop
runs over contiguous numbers and becomes vector instructions.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

LANES = 16

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True)
def nearest_signed(vectors: Floats, entries: Floats, codes: Integers) -> None:
    """Fill `codes` [n] with the E8P codewords nearest to `vectors` [8, n], n a multiple of LANES.

    `entries` [256, 8] are the table's entries; codes are those of `lattice.decode`. For each shift,
    the best signs of an entry are those of x; if they make its sum odd, the coordinate where that
    costs least (|x_i| s_i smallest) is flipped, which adds 4 |x_i| s_i to the squared distance.
    """
    sizes = np.empty((8, LANES), np.float32)
    best = np.empty((2, LANES), np.float32)
    chosen = np.empty((2, LANES), np.int32)
    parity = np.empty(LANES, np.float32)
    for start in range(0, vectors.shape[1], LANES):
        for minus in range(2):
            shift = np.float32(0.25 - 0.5 * minus)
            for lane in range(LANES):
                best[minus, lane] = 0
                parity[lane] = 0
            for i in range(8):
                for lane in range(LANES):
                    value = vectors[i, start + lane] - shift
                    sizes[i, lane] = abs(value)
                    best[minus, lane] += value * value
                    parity[lane] += np.float32(1) if value < 0 else np.float32(0)
            for lane in range(LANES):
                parity[lane] = parity[lane] % np.float32(2)
            _compare(sizes, parity, entries, best[minus], chosen[minus])
        for lane in range(LANES):
            minus = 1 if best[1, lane] < best[0, lane] else 0
            vector = vectors[:, start + lane]
            codes[start + lane] = _code(vector, entries, chosen[minus, lane], minus)


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True)
def nearest_plain(vectors: Floats, entries: Floats, codes: Integers) -> None:
    """Fill `codes` [n] with the `entries` [256, 8] nearest to `vectors` [8, n]; n as above."""
    sizes = np.empty((8, LANES), np.float32)
    best = np.empty(LANES, np.float32)
    chosen = np.empty(LANES, np.int32)
    for start in range(0, vectors.shape[1], LANES):
        for i in range(8):
            for lane in range(LANES):
                sizes[i, lane] = vectors[i, start + lane]
        for lane in range(LANES):
            best[lane] = np.float32(np.inf)
        for e in range(entries.shape[0]):
            entry = entries[e]
            norm = np.float32((entry * entry).sum())
            for lane in range(LANES):
                total = np.float32(0)
                for i in range(8):
                    total += sizes[i, lane] * entry[i]
                distance = norm - 2 * total
                chosen[lane] = e if distance < best[lane] else chosen[lane]
                best[lane] = min(distance, best[lane])
        for lane in range(LANES):
            codes[start + lane] = chosen[lane]


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True)
def _compare(
    sizes: Floats, parity: Floats, entries: Floats, best: Floats, chosen: Integers
) -> None:
    """Find the nearest entry for each lane of `sizes` [8, LANES], the |x_i|.

    `parity` [LANES] is that of the minus signs. `best` [LANES] holds |x|^2 and gets the squared
    distance; `chosen` [LANES] gets the entry.
    """
    least = np.full(LANES, np.float32(np.inf), np.float32)
    for e in range(entries.shape[0]):
        s = entries[e]
        s0, s1, s2, s3, s4, s5, s6, s7 = s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
        norm = np.float32((s * s).sum())
        odd = np.float32(int(s.sum()) % 2)
        for lane in range(LANES):
            p0, p1 = sizes[0, lane] * s0, sizes[1, lane] * s1
            p2, p3 = sizes[2, lane] * s2, sizes[3, lane] * s3
            p4, p5 = sizes[4, lane] * s4, sizes[5, lane] * s5
            p6, p7 = sizes[6, lane] * s6, sizes[7, lane] * s7
            total = ((p0 + p1) + (p2 + p3)) + ((p4 + p5) + (p6 + p7))
            cheapest = min(min(min(p0, p1), min(p2, p3)), min(min(p4, p5), min(p6, p7)))
            flipped = abs(parity[lane] - odd)
            distance = norm - 2 * total + 4 * flipped * cheapest
            chosen[lane] = e if distance < least[lane] else chosen[lane]
            least[lane] = min(distance, least[lane])
    for lane in range(LANES):
        best[lane] += least[lane]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _code(vector: Floats, entries: Floats, entry: int, minus: int) -> Any:
    """The code of a table entry with the signs that suit `vector` [8] and the sum that E8 asks."""
    shift = np.float32(0.25 - 0.5 * minus)
    code = entry | minus << 15
    odd = 0
    cheapest, place = np.float32(np.inf), 0
    for i in range(8):
        value = vector[i] - shift
        odd += int(value < 0)
        if i < 7 and value < 0:
            code |= 1 << (8 + i)
        cost = abs(value) * entries[entry, i]
        if cost < cheapest:
            cheapest, place = cost, i
    if (odd + int(entries[entry].sum())) % 2 and place < 7:
        code ^= 1 << (8 + place)
    return code
