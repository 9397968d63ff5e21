"""The safetensors layout without torch: read a header, and write a file tensor by tensor.

A file is an 8-byte little-endian length, a JSON header of that length (name -> dtype, shape, byte
range; `__metadata__` -> strings), and the tensors' bytes. Writing leaves room for the header and
fills it in at the end, so no more than one tensor is in memory.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from goodhart_gap.errors import GoodhartError

LENGTH = struct.Struct("<Q")
"""Of the header, in bytes: what a file begins with."""


@dataclass(frozen=True)
class Header:
    """What a safetensors file says about itself."""

    tensors: dict[str, dict[str, Any]]
    """For each tensor: `dtype` (as in the file, e.g. BF16), `shape`, `data_offsets`."""

    metadata: dict[str, str]
    """The file's own strings."""

    start: int
    """Position of the first tensor's first byte."""


def read_header(path: Path) -> Header:
    """Read a file's header. Raises GoodhartError when the file is not a whole safetensors file."""
    try:
        with path.open("rb") as handle:
            (length,) = LENGTH.unpack(handle.read(LENGTH.size))
            tensors = json.loads(handle.read(length))
        metadata = tensors.pop("__metadata__", {})
        start = LENGTH.size + length
        end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
    except (struct.error, ValueError, KeyError, TypeError, MemoryError, OverflowError) as error:
        raise GoodhartError(
            f"{path}: not a safetensors file; delete it and run snakemake again."
        ) from error
    size = path.stat().st_size
    if size != start + end:
        raise GoodhartError(
            f"{path}: {size} bytes, but its header promises {start + end}; delete it and run "
            "snakemake again."
        )
    return Header(tensors, metadata, start)


@dataclass
class TensorFileWriter:
    """Writes a safetensors file one tensor at a time.

    with TensorFileWriter(path, header_bytes=100_000) as writer:
        writer.add("a", "F32", [2, 2], payload)
        writer.metadata["tokens"] = "28672"
    """

    path: Path
    header_bytes: int
    """Room left for the header; a multiple of 8."""

    metadata: dict[str, str] = field(default_factory=dict)
    _tensors: dict[str, dict[str, Any]] = field(default_factory=dict)
    _position: int = 0

    def __enter__(self) -> Self:
        self._handle = self.path.open("wb")
        self._handle.seek(LENGTH.size + self.header_bytes)
        return self

    def add(self, name: str, dtype: str, shape: list[int], payload: memoryview | bytes) -> None:
        """Append a tensor; `payload` is its contiguous little-endian bytes."""
        if name in self._tensors:
            raise ValueError(f"{name} is in {self.path} already")
        written = self._handle.write(payload)
        offsets = [self._position, self._position + written]
        self._tensors[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        self._position += written

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._handle:
            if error is None:
                self._write_header()

    def _write_header(self) -> None:
        header: Mapping[str, Any] = {"__metadata__": self.metadata, **self._tensors}
        text = json.dumps(header, separators=(",", ":")).encode()
        if len(text) > self.header_bytes:
            raise ValueError(f"{self.path}: header needs {len(text)} of {self.header_bytes} bytes")
        self._handle.seek(0)
        self._handle.write(LENGTH.pack(self.header_bytes) + text.ljust(self.header_bytes))
