"""What this machine has: free bytes where a path lies, kind of file system, GPUs."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

OVERLAYS = frozenset({"overlay", "overlayfs", "fuse-overlayfs", "aufs"})
"""File systems of containers: small, slow, and gone with the container."""


@dataclass(frozen=True)
class Disk:
    """The file system under a path."""

    mount: str
    kind: str
    free_bytes: int

    @property
    def is_overlay(self) -> bool:
        """Whether it is the writable layer of a container."""
        return self.kind in OVERLAYS


@dataclass(frozen=True)
class Gpu:
    """One GPU."""

    name: str
    memory_bytes: float
    used_bytes: float


def disk_of(path: Path) -> Disk:
    """Return the file system that `path`, which need not exist yet, would lie on."""
    real = path.resolve()
    while not real.exists():
        real = real.parent
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    over = [place for place in (real, *real.parents) if place in mounts]
    mount = over[0] if over else Path("/")
    return Disk(str(mount), mounts.get(mount, "unknown"), shutil.disk_usage(real).free)


def used_bytes(folder: Path) -> int:
    """Return the bytes of all files below `folder`: what a quota counts and no file system tells.

    Files that go away meanwhile count nothing, and a link counts as itself.
    """
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).lstat().st_size
            except OSError:
                continue
    return total


def gpus() -> list[Gpu]:
    """Return the GPUs that nvidia-smi lists; none where it is missing or fails."""
    columns = "name,memory.total,memory.used"
    query = ["nvidia-smi", f"--query-gpu={columns}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.rsplit(",", 2) for line in done.stdout.splitlines() if line.count(",") >= 2)
    return [
        Gpu(name.strip(), float(total) * 2**20, float(used) * 2**20) for name, total, used in rows
    ]
