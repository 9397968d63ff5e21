"""The error a matrix will have, foreseen from its Hessian: nothing of it is compressed.

Error feedback leaves tr(E H E^T) = sum_k D_k ||r_k||^2, r_k being what rounding leaves of column k
and D that of `metric.Feedback`. A rotated weight is about normal, of one variance in all columns,
so of each column the quantizer leaves the same share s of its energy:

    tr(E H E^T) ~ s ||W||_F^2 mean(D).

s is what the same settings leave of normal noise of that shape under H = I, where D = 1: measured
once for a shape, low-rank part and all. (QuIP bounds the error of LDLQ by tr(D) in the same way;
Chee et al., NeurIPS 2023, theorem 1.) How near errors come to what was foreseen of them is in
benchmarks/QUALITY.md.
"""

import csv
import logging
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from goodhart_gap.compression.hessians import HessianFile
from goodhart_gap.compression.inputs import check_hessians, read_checked
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.settings import foreseeable
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.fingerprints import linear_shapes

log = logging.getLogger(__name__)

COLUMNS = ("module", "choice", "error")

LARGEST_NOISE = 384
"""The shorter side of the noise, at most: larger shapes shrink to it, the rank in proportion.

Of 576 x 576 and 1536 x 576 that changes s by 1.3 % at most (2 and 4 bits, rank 0 and 31), which is
less than errors differ from what is foreseen of them, and takes a third of the time.
"""


def exposure(weight: torch.Tensor, metric: Metric) -> float:
    """||W||_F^2 mean(D) / tr(W H W^T): the lost share of output energy, were s one.

    `weight` is [rows, columns] of any float dtype, `metric` the damped Hessian of its inputs; D is
    that of the rotated Hessian, in the natural order. 0 of a weight that has no output.
    """
    weight = weight.float()
    whole = metric.squared_norm(weight)
    if whole <= 0:
        return 0.0
    energy = float(weight.square().sum(dtype=torch.float64))
    return energy * float(metric.rotated.natural.diagonal.double().mean()) / whole


def share_left(rows: int, columns: int, settings: MatrixSettings) -> float:
    """s: the share of the energy of normal noise [rows, columns] that `settings` leave.

    Raises GoodhartError without `hadamard`: weights as they are have outliers, and are no noise.
    """
    if not foreseeable(settings):
        raise GoodhartError(
            "errors are foreseen of rotated weights with error feedback alone: give hadamard: true "
            "and method caldera or gptq."
        )
    factor = max(1.0, min(rows, columns) / LARGEST_NOISE)
    rank = round(settings.rank / factor) if settings.factored else 0
    small = settings.model_copy(update={"rank": max(rank, min(1, settings.rank))})
    return _share_left(round(rows / factor), round(columns / factor), small.model_dump_json())


def foreseen_error(weight: torch.Tensor, metric: Metric, settings: MatrixSettings) -> float:
    """||(W - W^) X|| / ||W X|| on the calibration tokens, as `settings` will leave it, about."""
    rows, columns = weight.shape
    return (exposure(weight, metric) * share_left(rows, columns, settings)) ** 0.5


def foresee_shard(
    base: Path,
    fingerprint: Mapping[str, Any],
    hessians: Path,
    candidates: Mapping[str, MatrixSettings],
    threads: int = 1,
) -> list[tuple[str, str, float]]:
    """Return (module, choice, its foreseen error) of every matrix of the shard `base`.

    Raises GoodhartError, naming file and tensor, when weights, `fingerprint` and Hessians do not
    belong together.
    """
    check_hessians(base, fingerprint, hessians)
    shapes = linear_shapes(fingerprint)
    # The codes of noise, and with them the choice, must not depend on how many threads there are.
    torch.set_num_threads(1)
    shares = {
        (shape, choice): share_left(*shape, settings)
        for shape in dict.fromkeys(shapes.values())
        for choice, settings in candidates.items()
    }
    torch.set_num_threads(threads)
    foreseen = []
    with safe_open(base, framework="pt") as file, HessianFile(hessians) as calibration:
        for owner, modules in _by_owner(shapes, calibration).items():
            hessian = calibration.read(owner, "train")
            metrics = {
                damping: Metric(hessian, damping)
                for damping in {settings.damping for settings in candidates.values()}
            }
            for module in modules:
                weight = read_checked(file, f"{module}.weight", base, fingerprint)
                exposed = {damping: exposure(weight, each) for damping, each in metrics.items()}
                for choice, settings in candidates.items():
                    share = shares[shapes[module], choice]
                    error = (exposed[settings.damping] * share) ** 0.5
                    foreseen.append((module, choice, error))
            log.info("%s: %d matrices foreseen", fingerprint["shard"], len(foreseen))
    return sorted(foreseen)


def write_foreseen(path: Path, foreseen: Iterable[tuple[str, str, float]]) -> None:
    """Write foreseen/{shard}.csv, a row a matrix and choice."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((module, choice, f"{error:.6g}") for module, choice, error in foreseen)


def _by_owner(modules: Iterable[str], calibration: HessianFile) -> dict[str, list[str]]:
    """Modules by the one whose Hessian they share."""
    groups: dict[str, list[str]] = {}
    for module in modules:
        groups.setdefault(calibration.owner(module), []).append(module)
    return groups


@cache
def _share_left(rows: int, columns: int, settings: str) -> float:
    noise = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    identity = Metric(torch.eye(columns), 1e-9)
    parsed = MatrixSettings.model_validate_json(settings)
    found = compress_matrix(noise, identity, parsed, "noise").dense()
    return float((noise - found).square().sum() / noise.square().sum())
