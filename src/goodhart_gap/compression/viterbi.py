"""The Viterbi search over a bitshift trellis, compiled by numba.

`LANES` streams are searched side by side, so that every loop runs over contiguous numbers and
becomes vector instructions. Path costs are integers (2^20 units to one squared deviation) whose
lowest bits name the predecessor: one integer minimum then yields both the cost and the way back.
"""

import numba
import numpy as np
from numpy.typing import NDArray

LANES = 8

_ROOT_UNITS = 1024.0


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True)
def search(
    targets: NDArray[np.float32],
    starts: NDArray[np.int64],
    values: NDArray[np.float32],
    codes: NDArray[np.uint8],
    bits: int,
    state_bits: int,
) -> NDArray[np.int64]:
    """Fill `codes` [length, LANES] with the best codes of `targets` [length, LANES].

    `starts` [LANES] are the states before the first position, `values` [2^state_bits] the value of
    each state, |targets| at most 6. Returns the states [LANES] after the last position.
    """
    branches = 1 << bits
    states = 1 << state_bits
    stems = states >> bits
    length = targets.shape[0]
    costs = np.full(states * LANES, 1 << 30, np.int32)
    least = np.empty(stems * LANES, np.int32)
    back = np.empty((length, stems * LANES), np.uint8)
    spread = np.empty(branches * LANES, np.float32)
    repeated = np.empty(branches * LANES, np.int32)
    levels = np.repeat(values, LANES) * np.float32(_ROOT_UNITS)
    for lane in range(LANES):
        costs[starts[lane] * LANES + lane] = 0
    for t in range(length):
        for branch in range(branches):
            for lane in range(LANES):
                spread[branch * LANES + lane] = targets[t, lane] * np.float32(_ROOT_UNITS)
        _choose(costs, least, back[t], stems * LANES, branches)
        _extend(costs, least, spread, levels, repeated, stems, branches)
        if t % 64 == 63:
            _rebase(costs, states)
    ends = np.empty(LANES, np.int64)
    for lane in range(LANES):
        state = 0
        for candidate in range(states):
            if costs[candidate * LANES + lane] < costs[state * LANES + lane]:
                state = candidate
        ends[lane] = state
        for t in range(length - 1, -1, -1):
            codes[t, lane] = state & (branches - 1)
            stem = state >> bits
            state = int(back[t, stem * LANES + lane]) * stems + stem
    return ends


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True)
def _choose(
    costs: NDArray[np.int32],
    least: NDArray[np.int32],
    back: NDArray[np.uint8],
    width: int,
    branches: int,
) -> None:
    """Best predecessor of each stem (the state bits that survive a shift), for every lane."""
    for i in range(width):
        least[i] = costs[i]
    for branch in range(1, branches):
        row = costs[branch * width : (branch + 1) * width]
        for i in range(width):
            candidate = row[i] + np.int32(branch)
            least[i] = min(candidate, least[i])
    low = np.int32(branches - 1)
    for i in range(width):
        back[i] = np.uint8(least[i] & low)
        least[i] = least[i] & ~low


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True)
def _extend(
    costs: NDArray[np.int32],
    least: NDArray[np.int32],
    spread: NDArray[np.float32],
    levels: NDArray[np.float32],
    repeated: NDArray[np.int32],
    stems: int,
    branches: int,
) -> None:
    """Cost of each state: its stem's, plus the squared error of its value."""
    width = branches * LANES
    low = np.int32(branches - 1)
    for stem in range(stems):
        source = least[stem * LANES : (stem + 1) * LANES]
        for branch in range(branches):
            target = repeated[branch * LANES : (branch + 1) * LANES]
            for lane in range(LANES):
                target[lane] = source[lane]
        row = costs[stem * width : (stem + 1) * width]
        level = levels[stem * width : (stem + 1) * width]
        for i in range(width):
            error = spread[i] - level[i]
            row[i] = repeated[i] + (np.int32(error * error) & ~low)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _rebase(costs: NDArray[np.int32], states: int) -> None:
    """Take each lane's least cost off all its costs, so that none overflows."""
    for lane in range(LANES):
        least = costs[lane]
        for state in range(1, states):
            least = min(least, costs[state * LANES + lane])
        for state in range(states):
            costs[state * LANES + lane] -= least
