"""Tiny checkpoints, written once a session; tests must not change them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny_models import write_tiny_checkpoint

Checkpoints = Callable[[str], Path]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """Give the folder of a family's checkpoint: two blocks, float32."""
    written: dict[str, Path] = {}

    def folder_of(family: str) -> Path:
        if family not in written:
            import torch

            folder = tmp_path_factory.mktemp(family)
            written[family] = write_tiny_checkpoint(folder, family, blocks=2, dtype=torch.float32)
        return written[family]

    return folder_of
