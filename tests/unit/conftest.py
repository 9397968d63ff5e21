"""Tiny checkpoints and bases, written once a session when first asked for; never change them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

Folders = Callable[[str], Path]
"""Gives a folder for the name of a family (`tests.tiny_models.FAMILIES`)."""


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Checkpoint folders in transformers' layout: two blocks, float32."""

    @cache
    def write(family: str) -> Path:
        import torch

        from tests.tiny_models import write_tiny_checkpoint

        folder = tmp_path_factory.mktemp(family)
        return write_tiny_checkpoint(folder, family, blocks=2, dtype=torch.float32)

    return write


@pytest.fixture(scope="session")
def bases(checkpoints: Folders, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """The same in our layout: a shard a block, and fingerprint.json."""

    @cache
    def write(family: str) -> Path:
        from tests.unit.models.fetching import fetch_base, file_settings

        folder = tmp_path_factory.mktemp(f"{family}-base")
        fetch_base(file_settings(checkpoints(family)), folder)
        return folder

    return write
