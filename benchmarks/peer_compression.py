"""The paper's algorithm against ours, matrix by matrix, one thread, as the workflow compresses.

In processor seconds, so that what else the machine does hardly matters.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from benchmarks import paper_caldera
from safetensors import safe_open

from goodhart_gap.compression.hessians import HessianFile
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric

Shape = tuple[int, int]


def kind(shape: Sequence[int]) -> str:
    """What matrices of this shape are called."""
    return f"{shape[0]}x{shape[1]}"


def shapes_of(base: Path, modules: Sequence[str]) -> dict[str, Shape]:
    """{module: [outputs, inputs]} of the base's matrices."""
    found: dict[str, Shape] = {}
    for path in sorted(base.glob("blocks*.safetensors")):
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            for module in modules:
                if f"{module}.weight" in names:
                    rows, columns = file.get_slice(f"{module}.weight").get_shape()
                    found[module] = rows, columns
    return found


def compare(
    base: Path, hessians: Path, allocation: Mapping[str, MatrixSettings | None], block: int
) -> dict[str, dict[str, Any]]:
    """One matrix of each shape in `block`: {kind: {"module", "ours_s", "paper_s"}}."""
    torch.set_num_threads(1)
    chosen = {m: s for m, s in allocation.items() if s is not None and f".{block}." in m}
    shapes = shapes_of(base, list(chosen))
    first = {kind(shapes[module]): module for module in sorted(chosen, reverse=True)}
    (shard,) = base.glob("blocks*.safetensors")
    found = {}
    with safe_open(shard, framework="pt") as file, HessianFile(hessians) as calibration:
        smallest = min(first.values(), key=lambda module: shapes[module])
        for warm_up in (True, False):  # compiled code and thread pools are made first
            for name, module in first.items():
                if warm_up and module != smallest:
                    continue
                weight = file.get_tensor(f"{module}.weight").float()
                train = calibration.read(calibration.owner(module), "train")
                settings = chosen[module]
                assert settings is not None
                found[name] = {"module": module, **_both(weight, train, settings, module)}
    return found


def _both(
    weight: torch.Tensor, train: torch.Tensor, settings: MatrixSettings, module: str
) -> dict[str, float]:
    started = time.process_time()
    compress_matrix(weight, Metric(train, settings.damping), settings, module)
    between = time.process_time()
    metric = Metric(train, settings.damping)
    paper_caldera.compress(weight, metric, settings.bits, settings.rank)
    ended = time.process_time()
    return {"ours_s": between - started, "paper_s": ended - between}
