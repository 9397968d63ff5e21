"""The ways of compressing a matrix that benchmarks/quality.py compares, and the measure of one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from benchmarks import paper_caldera

from goodhart_gap.compression.accounting import stored_bytes
from goodhart_gap.compression.fidelity import measure
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric

PLAIN = {"group_size": 128, "symmetric": True}
TRELLIS = {"codebook": "trellis", "hadamard": True}

PAPER = "paper"
"""The way that is benchmarks/paper_caldera.py."""

ORIGINAL = "svd-residual"
"""The way of the original experiment."""

WAYS: dict[str, dict[str, Any]] = {
    "rtn": {"method": "rtn", **PLAIN},
    ORIGINAL: {"method": "svd-residual", "rank": 64, "factor_bits": 4, **PLAIN},
    "gptq": {"method": "gptq", "group_size": 128},
    PAPER: {
        "rank": paper_caldera.RANK,
        "factor_bits": paper_caldera.FACTOR_BITS,
        "outer_iterations": paper_caldera.OUTER_ITERATIONS,
        "inner_iterations": paper_caldera.INNER_ITERATIONS,
    },
    # Rank 31, so that the bits are just under the paper's.
    "ours": {**TRELLIS, "rank": 31, "factor_bits": 2, "group_size": 4096},
    "ours-rank0": {**TRELLIS, "rank": 0},
}
"""Settings of each way."""

BUDGET_WAYS = ("ours", "ours-rank0")
"""What a matrix may become, at all bits, where that is chosen matrix by matrix."""

DAMPING = 0.01


@dataclass(frozen=True)
class Measured:
    """One matrix compressed in one way."""

    dense: torch.Tensor
    size_bytes: int
    weighted_error: float
    """||(W - W^) X|| / ||W X|| on the calibration tokens."""
    held_out_error: float
    """The same on held-out tokens."""
    cpu_s: float
    """Processor seconds of this process for the compression alone, Hessian to reconstruction."""


Work = Callable[[torch.Tensor, Metric], tuple[torch.Tensor, int]]
"""From a weight and the metric of its inputs to its reconstruction and the bytes that takes."""


def by_settings(settings: MatrixSettings) -> Work:
    """Our own code by `settings`."""

    def work(weight: torch.Tensor, metric: Metric) -> tuple[torch.Tensor, int]:
        rows, columns = weight.shape
        dense = compress_matrix(weight, metric, settings, settings.method).dense()
        return dense, stored_bytes((rows, columns), settings)

    return work


def by_paper(bits: int, rank: int = paper_caldera.RANK) -> Work:
    """The paper's algorithm."""

    def work(weight: torch.Tensor, metric: Metric) -> tuple[torch.Tensor, int]:
        found = paper_caldera.compress(weight, metric, bits, rank)
        return found.dense, found.size_bytes

    return work


def settings_of(way: str, bits: int) -> MatrixSettings:
    """Settings of a way of `WAYS` that is our own code, at `bits` bits an entry of Q."""
    return MatrixSettings.model_validate({"bits": bits, **WAYS[way]})


def by_way(way: str, bits: int) -> Work:
    """A way of `WAYS` at `bits` bits an entry of Q."""
    return by_paper(bits) if way == PAPER else by_settings(settings_of(way, bits))


def assess(
    work: Work,
    weight: torch.Tensor,
    train: torch.Tensor,
    held_out: torch.Tensor,
    damping: float = DAMPING,
) -> Measured:
    """Compress `weight` [rows, columns] float32 under the Hessian `train`, and measure."""
    start_s = time.process_time()
    dense, size_bytes = work(weight, Metric(train, damping))
    spent_s = time.process_time() - start_s
    fidelity = measure(weight, dense, train, held_out)
    return Measured(dense, size_bytes, fidelity.weighted_error, fidelity.held_out_error, spent_s)
