"""The compressed shard: a safetensors file of packed codes, scales and factors. See docs/FORMAT.md.

A shard is self-contained for its blocks: what is not compressed (protected modules, norms, biases)
is stored in the base checkpoint's number format under its own name.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import safe_open

from goodhart_gap.compression.caldera import Approximation, Quantized
from goodhart_gap.compression.lattice import LatticeMatrix
from goodhart_gap.compression.lowrank import Factors, Plain
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.quantizers import GroupedMatrix
from goodhart_gap.compression.trellis import TrellisMatrix
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.steady_file import save_steady

FORMAT = "goodhart-gap/caldera"
FORMAT_VERSION = 1


class ModuleRecord(BaseModel):
    """What a shard's metadata says about one compressed module."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shape: tuple[int, int]
    rank: int
    settings: MatrixSettings
    fidelity: dict[str, float]


class ShardRecord(BaseModel):
    """A shard's metadata."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    shard: str
    base_fingerprint: str
    dtype: str
    """Number format of the base checkpoint, as torch names it (`bfloat16`)."""
    modules: dict[str, ModuleRecord]


@dataclass
class ShardWriter:
    """Collects the packed tensors of a shard, then writes them in one file."""

    shard: str
    base_fingerprint: str
    dtype: str
    """Number format of the base weights, as torch names it."""

    def __post_init__(self) -> None:
        self._tensors: dict[str, torch.Tensor] = {}
        self._modules: dict[str, ModuleRecord] = {}

    def add_plain(self, name: str, tensor: torch.Tensor) -> None:
        """Keep a tensor of the base checkpoint as it is."""
        self._tensors[name] = tensor.contiguous()

    def add_module(self, module: str, parts: dict[str, torch.Tensor], record: ModuleRecord) -> None:
        """Add the packed parts of a compressed module (see `stored_tensors`)."""
        self._tensors.update({f"{module}.{part}": tensor for part, tensor in parts.items()})
        self._modules[module] = record

    def write(self, path: Path) -> None:
        """Write the file; atomic only if the caller renames it."""
        record = ShardRecord(
            shard=self.shard,
            base_fingerprint=self.base_fingerprint,
            dtype=self.dtype,
            modules=self._modules,
        )
        save_steady(self._tensors, path, {"format": "pt", "caldera": _compact(record)})


class ShardReader:
    """An open shard. Use as a context manager; tensors are read when asked for."""

    def __init__(self, path: Path) -> None:
        """Raises GoodhartError unless `path` is a compressed shard of this version."""
        self.path = path
        self._file = safe_open(path, framework="pt")
        self.record = _read_record(path, self._file.metadata() or {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del self._file

    def plain_names(self) -> list[str]:
        """Names of the tensors stored as they were."""
        return [name for name in self._file.keys() if self._owner(name) is None]  # noqa: SIM118

    def plain(self, name: str) -> torch.Tensor:
        """A tensor stored as it was."""
        tensor: torch.Tensor = self._file.get_tensor(name)
        return tensor

    def parts(self, module: str) -> dict[str, torch.Tensor]:
        """The packed tensors of a module, by part (`codes`, `scales`, `left.codes`, ...)."""
        prefix = f"{module}."
        return {
            name.removeprefix(prefix): self._file.get_tensor(name)
            for name in self._file.keys()  # noqa: SIM118
            if self._owner(name) == module
        }

    def approximation(self, module: str) -> Approximation:
        """Q, L and R of a module."""
        return restore(self.parts(module), self.record.modules[module])

    def dense(self, module: str) -> torch.Tensor:
        """Q + L R of a module in the base checkpoint's number format, [rows, columns]."""
        dtype: torch.dtype = getattr(torch, self.record.dtype)
        return self.approximation(module).dense().to(dtype)

    def _owner(self, name: str) -> str | None:
        """The compressed module a stored tensor belongs to."""
        for suffix in _PARTS:
            if name.endswith(suffix) and name.removesuffix(suffix) in self.record.modules:
                return name.removesuffix(suffix)
        return None


_PARTS = tuple(
    f".{side}{part}"
    for side in ("", "left.", "right.")
    for part in ("codes", "residual_codes", "scales", "zeros", "scale", "values")
)


def read_shard(
    path: Path, names: Collection[str] | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (name in the transformers state dict, dense tensor in the base number format).

    `path` is a compressed shard, or a plain safetensors file such as the embeddings shard, which
    is yielded as it is; with `names`, only those of its tensors. One dense tensor is in memory at a
    time.
    """

    def wanted(name: str) -> bool:
        return names is None or name in names

    with safe_open(path, framework="pt") as file:
        compressed = "caldera" in (file.metadata() or {})
        if not compressed:
            for name in filter(wanted, file.keys()):
                yield name, file.get_tensor(name)
            return
    with ShardReader(path) as reader:
        for name in filter(wanted, reader.plain_names()):
            yield name, reader.plain(name)
        for module in reader.record.modules:
            if wanted(f"{module}.weight"):
                yield f"{module}.weight", reader.dense(module)


def stored_tensors(approximation: Approximation) -> dict[str, torch.Tensor]:
    """All that is stored of a compressed matrix, by part."""
    stored = dict(approximation.quantized.tensors())
    factors = approximation.factors
    if factors is not None:
        for side, part in (("left", factors.stored_left), ("right", factors.stored_right)):
            if part is None:
                raise ValueError("factors must be in stored form")
            stored.update({f"{side}.{name}": tensor for name, tensor in part.tensors().items()})
    return stored


def restore(parts: dict[str, torch.Tensor], record: ModuleRecord) -> Approximation:
    """Undo `stored_tensors`."""
    settings = record.settings
    rows, columns = record.shape
    quantized: Quantized
    if settings.codebook == "trellis":
        quantized = TrellisMatrix.from_tensors(parts, settings.bits, columns)
    elif settings.codebook == "e8":
        quantized = LatticeMatrix.from_tensors(parts, settings.bits, columns)
    else:
        quantized = GroupedMatrix.from_tensors(parts, settings.bits, settings.group_size, columns)
    if not record.rank:
        return Approximation(quantized, None, settings.hadamard)
    left = _restore_factor(parts, "left.", settings, rows)
    right = _restore_factor(parts, "right.", settings, columns)
    factors = Factors(left.dense().T.contiguous(), right.dense(), left, right)
    return Approximation(quantized, factors, settings.hadamard)


def _restore_factor(
    parts: dict[str, torch.Tensor], prefix: str, settings: MatrixSettings, length: int
) -> GroupedMatrix | Plain:
    own = {
        name.removeprefix(prefix): tensor
        for name, tensor in parts.items()
        if name.startswith(prefix)
    }
    if "values" in own:
        return Plain(own["values"])
    return GroupedMatrix.from_tensors(own, settings.factor_bits, settings.group_size, length)


def _compact(record: ShardRecord) -> str:
    return json.dumps(record.model_dump(mode="json"), separators=(",", ":"))


def _read_record(path: Path, metadata: dict[str, Any]) -> ShardRecord:
    if "caldera" not in metadata:
        raise GoodhartError(f"{path}: not a compressed shard (no `caldera` in its metadata).")
    content = json.loads(metadata["caldera"])
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise GoodhartError(
            f"{path}: format version {version}, but this release reads {FORMAT_VERSION}; "
            "delete it and run snakemake again."
        )
    try:
        return ShardRecord.model_validate(content)
    except ValidationError as error:
        raise GoodhartError(
            f"{path}: its metadata does not parse ({error.errors()[0]['msg']}); delete it and run "
            "snakemake again."
        ) from error
