"""Reading the Hessians of a shard, one at a time."""

import json
from pathlib import Path
from typing import Self

import torch
from safetensors import safe_open

from goodhart_gap.errors import GoodhartError


class HessianFile:
    """The file hessians/{shard}.safetensors; modules that share an input share a Hessian."""

    def __init__(self, path: Path) -> None:
        """Raises GoodhartError when the file does not say which module shares whose Hessian."""
        self.path = path
        self._file = safe_open(path, framework="pt")
        metadata = self._file.metadata() or {}
        if "aliases" not in metadata:
            raise GoodhartError(f"{path}: has no `aliases`; rerun the calibration of this shard.")
        self.aliases: dict[str, str] = json.loads(metadata["aliases"])
        self.base_fingerprint: str | None = metadata.get("base_fingerprint")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del self._file

    def owner(self, module: str) -> str:
        """The module under whose name `module`'s Hessian is stored."""
        if module not in self.aliases:
            raise GoodhartError(
                f"{self.path}: has no Hessian of {module}; rerun the calibration of this shard."
            )
        return self.aliases[module]

    def read(self, owner: str, split: str) -> torch.Tensor:
        """X^T X / n float32 [inputs, inputs]; `split` is `train` or `held_out`."""
        hessian: torch.Tensor = self._file.get_tensor(f"{owner}.{split}")
        return hessian
