"""Compress one shard of a base checkpoint, module by module.

In memory at any time: the packed result so far, one weight, and one Hessian with its
factorization; the base shard is mapped, not read.
"""

import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from goodhart_gap.compression.caldera import compress_matrix
from goodhart_gap.compression.fidelity import Fidelity, measure
from goodhart_gap.compression.format import ShardWriter
from goodhart_gap.compression.hessians import HessianFile
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.errors import GoodhartError

LOGGER = logging.getLogger(__name__)
PROGRESS_S = 10.0


def compress_shard(
    base: Path,
    fingerprint: Mapping[str, Any],
    hessians: Path,
    allocation: Mapping[str, MatrixSettings | None],
    compressed: Path,
) -> dict[str, Fidelity]:
    """Write the compressed form of the shard `base` to `compressed`; return what was measured.

    `fingerprint` is the shard's fingerprint record; `allocation` gives each module's settings, None
    where it is protected. Raises GoodhartError, naming file and tensor, when the shard is not the
    one fingerprinted, when the Hessians are of another base, or when a weight is not finite.
    """
    with safe_open(base, framework="pt") as file, HessianFile(hessians) as calibration:
        if calibration.base_fingerprint not in (None, fingerprint["fingerprint"]):
            raise GoodhartError(
                f"{hessians}: made from base shard {calibration.base_fingerprint}, but {base} is "
                f"{fingerprint['fingerprint']}; rerun the calibration of this shard."
            )
        tensors = {name: _weight_of(name, allocation) for name in file.keys()}  # noqa: SIM118
        writer = ShardWriter(fingerprint["shard"], fingerprint["fingerprint"])
        pending: list[tuple[str, MatrixSettings]] = []
        for name, module in tensors.items():
            settings = None if module is None else allocation[module]
            if module is None or settings is None:
                writer.add_plain(name, _read(file, name, base, fingerprint))
            else:
                pending.append((module, settings))
        # Modules that share an input come one after another, to factorize its Hessian once.
        pending.sort(key=lambda item: calibration.owner(item[0]))
        progress = _Progress(fingerprint["shard"], len(pending))
        measured = {}
        metrics = _MetricCache(calibration)
        for module, settings in pending:
            weight = _read(file, f"{module}.weight", base, fingerprint)
            metric = metrics.get(module, settings.damping)
            approximation = compress_matrix(weight, metric, settings, module)
            fidelity = measure(weight, approximation.dense(), metrics.train, metrics.held_out)
            writer.add_module(module, approximation, settings, fidelity.as_record(), weight.dtype)
            measured[module] = fidelity
            progress.step(module, weight.numel(), fidelity.held_out_error)
    writer.write(compressed)
    return measured


def _weight_of(name: str, allocation: Mapping[str, MatrixSettings | None]) -> str | None:
    """The allocated module whose weight `name` is, None for norms and biases."""
    module = name.removesuffix(".weight")
    return module if module != name and module in allocation else None


def _read(file: Any, name: str, base: Path, fingerprint: Mapping[str, Any]) -> torch.Tensor:
    """Read a tensor, making sure it is the one that was fingerprinted."""
    tensor: torch.Tensor = file.get_tensor(name)
    known = fingerprint["tensors"].get(name)
    raw = tensor.contiguous().view(-1).view(torch.uint8).numpy()
    if known is None or hashlib.sha256(raw.data).hexdigest() != known["sha256"]:
        raise GoodhartError(
            f"{base}: {name} is not the tensor in the fingerprint of base shard "
            f"{fingerprint['fingerprint'][:16]}; fetch the shard again."
        )
    return tensor


class _MetricCache:
    """The metric of the current group of modules, and the Hessians to measure errors with."""

    def __init__(self, calibration: HessianFile) -> None:
        self._calibration = calibration
        self._owner: str | None = None
        self._metrics: dict[float, Metric] = {}
        self.train = torch.empty(0)
        self.held_out = torch.empty(0)

    def get(self, module: str, damping: float) -> Metric:
        owner = self._calibration.owner(module)
        if owner != self._owner:
            self._owner, self._metrics = owner, {}
            self.train = self._calibration.read(owner, "train")
            self.held_out = self._calibration.read(owner, "held_out")
        if damping not in self._metrics:
            try:
                self._metrics[damping] = Metric(self.train, damping)
            except GoodhartError as error:
                raise GoodhartError(f"{self._calibration.path}: {owner}: {error}") from error
        return self._metrics[damping]


@dataclass
class _Progress:
    """Logs the rate and the time left, one line every `PROGRESS_S`."""

    shard: str
    modules: int
    _done: int = 0
    _weights: int = 0
    _start_s: float = field(default_factory=time.monotonic)
    _logged_s: float = field(default_factory=time.monotonic)

    def step(self, module: str, weights: int, error: float) -> None:
        self._done += 1
        self._weights += weights
        now_s = time.monotonic()
        if now_s - self._logged_s < PROGRESS_S and self._done < self.modules:
            return
        self._logged_s = now_s
        spent_s = max(now_s - self._start_s, 1e-9)
        left_s = spent_s / self._done * (self.modules - self._done)
        LOGGER.info(
            "%s: %d of %d modules, %.2f million weights/s, %.0f s left (%s: held-out error %.4f)",
            self.shard,
            self._done,
            self.modules,
            self._weights / spent_s / 1e6,
            left_s,
            module,
            error,
        )
