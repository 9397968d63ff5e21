"""The ways of compressing a matrix that benchmarks/quality.py compares, and the measure of one."""

import time
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

WAYS: dict[str, dict[str, Any]] = {
    "rtn": {"method": "rtn", **PLAIN},
    "svd-residual": {"method": "svd-residual", "rank": 64, "factor_bits": 4, **PLAIN},
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
"""Settings of each way. `svd-residual` is what the original experiment did."""

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


def compress(
    way: str, bits: int, weight: torch.Tensor, train: torch.Tensor, held_out: torch.Tensor
) -> Measured:
    """Compress `weight` [rows, columns] float32 under the Hessian `train`, and measure."""
    start_s = time.process_time()
    metric = Metric(train, DAMPING)
    if way == PAPER:
        found = paper_caldera.compress(weight, metric, bits)
        dense, size_bytes = found.dense, found.size_bytes
    else:
        settings = MatrixSettings.model_validate({"bits": bits, **WAYS[way]})
        dense = compress_matrix(weight, metric, settings, way).dense()
        rows, columns = weight.shape
        size_bytes = stored_bytes((rows, columns), settings)
    spent_s = time.process_time() - start_s
    fidelity = measure(weight, dense, train, held_out)
    return Measured(dense, size_bytes, fidelity.weighted_error, fidelity.held_out_error, spent_s)
