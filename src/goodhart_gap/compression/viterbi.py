"""The Viterbi search over a bitshift trellis, compiled by numba.

All that has to be remembered of the paths into a position is the least cost of each stem (the state
bits that survive the next shift), so the costs of single states exist in registers only. Several
streams are searched side by side, so that the inner loop runs over contiguous numbers and becomes
vector instructions.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

_FAR = np.float32(1e9)


@lru_cache(maxsize=6)
def search(bits: int, lanes: int) -> Callable[..., Any]:
    """The search for codes of `bits` bits in `lanes` streams: constants, which unroll the loops."""
    branches = 1 << bits

    @numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True)
    def search_of_bits(
        targets: NDArray[np.float32],
        starts: NDArray[np.int64],
        values: NDArray[np.float32],
        codes: NDArray[np.uint8],
        decoded: NDArray[np.float32],
        ends: NDArray[np.int64],
    ) -> None:
        """Fill `codes` [length, lanes] with the best codes of `targets` [length or more, lanes].

        `starts` [lanes] are the states before the first position, `values` [states] the value of
        each state; `decoded` [length, lanes] gets what the codes stand for, `ends` [lanes] the
        states after the last position that `codes` has room for; targets beyond it have a say in
        which states those are.
        """
        length = targets.shape[0]
        stems = values.shape[0] >> bits
        costs = np.full((stems, lanes), _FAR, np.float32)
        spare = np.empty((stems, lanes), np.float32)
        back = np.empty((length, stems, lanes), np.uint8)
        for lane in range(lanes):
            costs[starts[lane] & (stems - 1), lane] = 0
        for t in range(length):
            target, way = targets[t], back[t]
            for stem in range(stems):
                for lane in range(lanes):
                    error = target[lane] - values[stem]
                    best = costs[stem >> bits, lane] + error * error
                    chosen = 0
                    for branch in range(1, branches):
                        state = stem + branch * stems
                        error = target[lane] - values[state]
                        cost = costs[state >> bits, lane] + error * error
                        chosen = branch if cost < best else chosen
                        best = min(cost, best)
                    spare[stem, lane] = best
                    way[stem, lane] = chosen
            costs, spare = spare, costs
            if t % 64 == 63:
                _rebase(costs)
        _trace(costs, back, values, codes, decoded, ends, bits)

    return search_of_bits


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _rebase(costs: NDArray[np.float32]) -> None:
    """Take each lane's least cost off all its costs, so that sums stay small and exact."""
    for lane in range(costs.shape[1]):
        least = costs[:, lane].min()
        for stem in range(costs.shape[0]):
            costs[stem, lane] -= least


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _trace(
    costs: NDArray[np.float32],
    back: NDArray[np.uint8],
    values: NDArray[np.float32],
    codes: NDArray[np.uint8],
    decoded: NDArray[np.float32],
    ends: NDArray[np.int64],
    bits: int,
) -> None:
    """Walk back from the cheapest stems; fill `codes`, `decoded` and `ends`."""
    length, stems, lanes = back.shape
    kept = codes.shape[0]
    for lane in range(lanes):
        stem = costs[:, lane].argmin()
        for t in range(length - 1, -1, -1):
            state = stem + back[t, stem, lane] * stems
            if t == kept - 1:
                ends[lane] = state
            if t < kept:
                codes[t, lane] = state & ((1 << bits) - 1)
                decoded[t, lane] = values[state]
            stem = state >> bits
