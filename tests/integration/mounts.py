"""File systems of a size or kind of their own, mounted where root may."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 1 GB on `folder`. Raises OSError where mounting is not allowed."""
    with _mounted(folder, "-t", "tmpfs", "-o", "size=1G", "tmpfs") as disk:
        yield disk


@contextmanager
def container_layer(folder: Path) -> Iterator[Path]:
    """An overlay in `folder`, as a container's own layer is one. Raises OSError as above."""
    parts = {name: folder / name for name in ("lowerdir", "upperdir", "workdir")}
    for part in parts.values():
        part.mkdir(parents=True)
    options = ",".join(f"{name}={part}" for name, part in parts.items())
    with _mounted(folder / "layer", "-t", "overlay", "overlay", "-o", options) as layer:
        yield layer


@contextmanager
def _mounted(folder: Path, *arguments: str) -> Iterator[Path]:
    folder.mkdir(parents=True)
    command = ["mount", *arguments, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"mounting needs root: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
