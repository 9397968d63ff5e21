"""A compressed shard read without mapping the file, a module at a time.

What is read through a memory map stays resident as long as any tensor of the file lives, so that a
model would be in memory twice: as stored, and as prepared for the kernels.
"""

from pathlib import Path
from typing import Any, Self

import torch

from goodhart_gap.compression.format import ShardReader
from goodhart_gap.models.tensor_files import read_header

_DTYPES = {
    "U8": torch.uint8,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
}

_FACTORS = ("left", "right")


class PackedShard:
    """An open compressed shard. Use as a context manager.

    `modules`: for each compressed module its parts' names and their names in the file; `plain`: the
    names of what is not compressed.
    """

    def __init__(self, path: Path) -> None:
        """Raises GoodhartError unless `path` is a compressed shard of this version."""
        self.path = path
        with ShardReader(path) as reader:
            self.record = reader.record
        self._header = read_header(path)
        self.modules: dict[str, dict[str, str]] = {name: {} for name in self.record.modules}
        self.plain: list[str] = []
        for name in self._header.tensors:
            module = self._owner(name)
            if module is None:
                self.plain.append(name)
            else:
                self.modules[module][name.removeprefix(f"{module}.")] = name

    def __enter__(self) -> Self:
        self._file = self.path.open("rb")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the base checkpoint."""
        dtype: torch.dtype = getattr(torch, self.record.dtype)
        return dtype

    def empty_parts(self, module: str) -> dict[str, torch.Tensor]:
        """The parts of a module on the meta device, by part."""
        found = {}
        for part, name in self.modules[module].items():
            entry = self._header.tensors[name]
            found[part] = torch.empty(entry["shape"], dtype=_DTYPES[entry["dtype"]], device="meta")
        return found

    def parts(self, module: str) -> dict[str, torch.Tensor]:
        """The parts of a module, by part."""
        return {part: self.read(name) for part, name in self.modules[module].items()}

    def read(self, name: str) -> torch.Tensor:
        """A tensor of the file, in memory of its own."""
        entry: dict[str, Any] = self._header.tensors[name]
        first, last = entry["data_offsets"]
        tensor = torch.empty(entry["shape"], dtype=_DTYPES[entry["dtype"]])
        if last > first:
            self._file.seek(self._header.start + first)
            self._file.readinto(tensor.view(-1).view(torch.uint8).numpy().data)
        return tensor

    def _owner(self, name: str) -> str | None:
        """The compressed module that a stored tensor is a part of."""
        module, _, part = name.rpartition(".")
        if module in self.record.modules:
            return None if part == "bias" else module
        above, _, side = module.rpartition(".")
        return above if side in _FACTORS and above in self.record.modules else None
