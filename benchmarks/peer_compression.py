"""Compression by ours, the original's way and the paper's algorithm, matrix by matrix, one thread.

The original rounded to nearest and took an unweighted SVD of what that left (`svd-residual`), which
is quick, stores more bits and leaves more error; so bits and errors are measured beside the
seconds. The paper's algorithm is a peer of its own, which the original never ran.

In processor seconds from Hessian to reconstruction, so that what else the machine does hardly
matters; all ways are measured turn about, some rounds, and the median counts.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from benchmarks.quality_ways import ORIGINAL, WAYS, Work, assess, by_paper, by_settings
from safetensors import safe_open

from goodhart_gap.compression.hessians import HessianFile
from goodhart_gap.compression.matrix_settings import MatrixSettings

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


def works(settings: MatrixSettings) -> dict[str, Work]:
    """How a matrix of `settings` is compressed, by whose way; Q has the same bits in all."""
    original = MatrixSettings.model_validate({"bits": settings.bits, **WAYS[ORIGINAL]})
    return {
        "ours": by_settings(settings),
        "original": by_settings(original),
        "paper": by_paper(settings.bits, settings.rank),
    }


def compare(
    base: Path,
    hessians: Path,
    allocation: Mapping[str, MatrixSettings | None],
    block: int,
    rounds: int,
) -> dict[str, dict[str, Any]]:
    """One matrix of each shape in `block`: {kind: {"module", and of each of `works` what follows}}.

    {whose}_s: processor seconds, median of `rounds`; {whose}_bits: bits a parameter, all that is
    stored counted; {whose}_error: ||(W - W^) X|| / ||W X|| on held-out tokens.
    """
    torch.set_num_threads(1)
    chosen = {m: s for m, s in allocation.items() if s is not None and f".{block}." in m}
    shapes = shapes_of(base, list(chosen))
    first = {kind(shapes[module]): module for module in sorted(chosen, reverse=True)}
    (shard,) = base.glob("blocks*.safetensors")
    found: dict[str, dict[str, Any]] = {}
    with safe_open(shard, framework="pt") as file, HessianFile(hessians) as calibration:
        smallest = min(first.values(), key=lambda module: shapes[module])
        for warm_up in (True, False):  # compiled code and thread pools are made first
            for name, module in first.items():
                if warm_up and module != smallest:
                    continue
                weight = file.get_tensor(f"{module}.weight").float()
                owner = calibration.owner(module)
                train, held_out = (calibration.read(owner, each) for each in ("train", "held_out"))
                each_round = [
                    _all_ways(weight, train, held_out, chosen[module])
                    for _ in range(1 if warm_up else rounds)
                ]
                # Bits and errors are the same in every round.
                figures = {key: median(each[key] for each in each_round) for key in each_round[0]}
                found[name] = {"module": module, **figures}
    return found


def _all_ways(
    weight: torch.Tensor, train: torch.Tensor, held_out: torch.Tensor, settings: MatrixSettings
) -> dict[str, float]:
    """Seconds, bits and error of a matrix in each of `works`."""
    found = {}
    for whose, work in works(settings).items():
        each = assess(work, weight, train, held_out, settings.damping)
        found[f"{whose}_s"] = each.cpu_s
        found[f"{whose}_bits"] = 8 * each.size_bytes / weight.numel()
        found[f"{whose}_error"] = each.held_out_error
    return found
