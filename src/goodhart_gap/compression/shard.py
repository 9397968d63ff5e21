"""Compress one shard of a base checkpoint, module by module.

In memory at any time: the packed result so far and, for each worker, one weight and one Hessian
with its factorization; the base shard is mapped, not read.
"""

import logging
import math
import multiprocessing
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load, save

from goodhart_gap.compression.fidelity import measure
from goodhart_gap.compression.format import ModuleRecord, ShardWriter, stored_tensors
from goodhart_gap.compression.hessians import HessianFile
from goodhart_gap.compression.inputs import check_hessians, read_checked
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric
from goodhart_gap.errors import GoodhartError
from goodhart_gap.memory import give_back

LOGGER = logging.getLogger(__name__)
PROGRESS_S = 10.0

WIDE_COLUMNS = 6144
"""Matrices wider than this are compressed one at a time, by all threads together."""

LITTLE_WORK = 2e8
"""Multiplications up to which processes take longer to start (seconds, to load torch) than to do
the work: a matrix or two of the smallest real models, all of a model that tests use."""


def compress_shard(
    base: Path,
    fingerprint: Mapping[str, Any],
    hessians: Path,
    allocation: Mapping[str, MatrixSettings | None],
    compressed: Path,
    workers: int = 1,
) -> dict[str, dict[str, float]]:
    """Write the compressed form of the shard `base` to `compressed`; return what was measured.

    `fingerprint` is the shard's fingerprint record; `allocation` gives each module's settings, None
    where it is protected. Raises GoodhartError, naming file and tensor, when the shard is not the
    one fingerprinted, when the Hessians are of another base, or when a weight is not finite.
    """
    check_hessians(base, fingerprint, hessians)
    dtypes = {entry["dtype"] for entry in fingerprint["tensors"].values()}
    writer = ShardWriter(
        fingerprint["shard"], fingerprint["fingerprint"], _torch_name(base, dtypes)
    )
    job = _Job(base, fingerprint, hessians, allocation)
    plain = _checked_plain(job)
    groups = job.groups()
    progress = _Progress(fingerprint["shard"], sum(map(len, groups)))
    measured = {}
    for results in _each(job, groups, workers):
        for result in results:
            writer.add_module(result.module, load(result.payload), result.record)
            measured[result.module] = result.record.fidelity
            progress.step(result)
    with safe_open(base, framework="pt") as file:
        for name in plain:
            writer.add_plain(name, file.get_tensor(name))
    writer.write(compressed)
    return measured


@dataclass(frozen=True)
class _Result:
    """A compressed module on its way from a worker to the file."""

    module: str
    payload: bytes
    """Its packed parts as a safetensors file: cheaper between processes than shared tensors."""
    record: ModuleRecord


@dataclass(frozen=True)
class _Job:
    """What a worker needs to compress any group of modules; cheap to send."""

    base: Path
    fingerprint: Mapping[str, Any]
    hessians: Path
    allocation: Mapping[str, MatrixSettings | None]

    def groups(self) -> list[list[str]]:
        """Modules to compress, those that share a Hessian together, the most work first.

        So processes end together, and the widest Hessian, which decides the peak of memory, is met
        while hardly anything is packed yet.
        """
        groups: dict[str, list[str]] = {}
        with HessianFile(self.hessians) as calibration:
            for name in self.fingerprint["tensors"]:
                module = name.removesuffix(".weight")
                if name != module and self.allocation.get(module) is not None:
                    groups.setdefault(calibration.owner(module), []).append(module)
        return sorted(groups.values(), key=self.cost, reverse=True)

    def widest(self) -> int:
        """Columns of the widest module."""
        shapes = self.fingerprint["tensors"]
        return max((shapes[f"{m}.weight"]["shape"][1] for g in self.groups() for m in g), default=0)

    def compress(self, modules: list[str]) -> list[_Result]:
        """Compress modules that share a Hessian."""
        with (
            safe_open(self.base, framework="pt") as file,
            HessianFile(self.hessians) as calibration,
        ):
            metrics = _Metrics(calibration, calibration.owner(modules[0]))
            results = [self._compress(file, metrics, module) for module in modules]
        del metrics
        give_back()
        return results

    def _compress(self, file: Any, metrics: "_Metrics", module: str) -> _Result:
        settings = self.allocation[module]
        assert settings is not None
        weight = read_checked(file, f"{module}.weight", self.base, self.fingerprint)
        approximation = compress_matrix(weight, metrics.get(settings.damping), settings, module)
        fidelity = measure(weight, approximation.dense(), metrics.train, metrics.held_out)
        _check_finite(fidelity.as_record(), module)
        rows, columns = weight.shape
        factors = approximation.factors
        record = ModuleRecord(
            shape=(rows, columns),
            rank=0 if factors is None else factors.left.shape[1],
            settings=settings,
            fidelity=fidelity.as_record(),
        )
        return _Result(module, save(stored_tensors(approximation)), record)

    def cost(self, modules: list[str]) -> int:
        """Multiplications, up to a factor: one factorization, then error feedback a matrix."""
        shapes = [self.fingerprint["tensors"][f"{module}.weight"]["shape"] for module in modules]
        columns = int(shapes[0][1])
        return columns**2 * (columns + sum(int(rows) for rows, _ in shapes))


def _check_finite(measured: Mapping[str, float], module: str) -> None:
    for name, value in measured.items():
        if not math.isfinite(value):
            raise GoodhartError(
                f"{module}: the {name} of its compressed weight is {value}, so that weight is of "
                "no use; protect the module, or choose another method."
            )


def _checked_plain(job: _Job) -> list[str]:
    """Names of the tensors that stay as they are, each seen to be the one fingerprinted.

    They are let go until the shard is written: one small tensor keeps all pages mapped that were
    read beside it.
    """
    names = []
    with safe_open(job.base, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            module = name.removesuffix(".weight")
            if name == module or job.allocation.get(module) is None:
                read_checked(file, name, job.base, job.fingerprint)
                names.append(name)
    return names


def _each(job: _Job, groups: list[list[str]], workers: int) -> Iterator[list[_Result]]:
    """Results of each group of modules, in order.

    Error feedback is a chain of small operations that threads cannot share, so matrices are shared
    out among processes instead; very wide ones one by one, with all threads in each product.
    """
    little = sum(map(job.cost, groups)) <= LITTLE_WORK
    if workers == 1 or little or job.widest() > WIDE_COLUMNS:
        torch.set_num_threads(1 if little else workers)
        yield from map(job.compress, groups)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        yield from pool.map(job.compress, groups)


def _torch_name(base: Path, dtypes: set[str]) -> str:
    """Name in torch of the one number format of a base shard."""
    names = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
    if len(dtypes) != 1 or not dtypes <= set(names):
        raise GoodhartError(
            f"{base}: its tensors are {', '.join(sorted(dtypes))}, not all of one of "
            f"{', '.join(names)}; fetch the shard again."
        )
    return names[dtypes.pop()]


class _Metrics:
    """One Hessian: as a metric for each damping asked for, and as it is to measure errors with."""

    def __init__(self, calibration: HessianFile, owner: str) -> None:
        self.train = calibration.read(owner, "train")
        self.held_out = calibration.read(owner, "held_out")
        self._where = f"{calibration.path}: {owner}"
        self._metrics: dict[float, Metric] = {}

    def get(self, damping: float) -> Metric:
        if damping not in self._metrics:
            try:
                self._metrics[damping] = Metric(self.train, damping)
            except GoodhartError as error:
                raise GoodhartError(f"{self._where}: {error}") from error
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

    def step(self, result: _Result) -> None:
        self._done += 1
        self._weights += result.record.shape[0] * result.record.shape[1]
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
            result.module,
            result.record.fidelity["held_out_error"],
        )
