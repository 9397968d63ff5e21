"""Main memory of this machine, or of the container or Slurm job that this process is held to.

psutil reads the host's. A container's limit stands in the files of its control group: version 2
(`memory.max`) or version 1 (`memory.limit_in_bytes`); a group's limit also holds for those below.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")

_LIMIT = ("memory.max", "memory.limit_in_bytes")
_USED = ("memory.current", "memory.usage_in_bytes")
_CACHED = frozenset({"active_file", "inactive_file"})
_CACHED_V1 = frozenset({"total_active_file", "total_inactive_file"})


@dataclass(frozen=True)
class Memory:
    """Main memory, in bytes."""

    total_bytes: int
    available_bytes: int
    """What can be had without ending anything: the file cache gives way."""


def memory(root: Path = _ROOT, own: Path = _OWN) -> Memory:
    """Return the machine's memory, or less where a control group allows less.

    `root`: where control groups are mounted; `own`: the file that names this process's groups.
    """
    host = psutil.virtual_memory()
    total, available = int(host.total), int(host.available)
    for folder in _groups(root, own):
        limit, used = _number(folder, _LIMIT), _number(folder, _USED)
        # Without a limit, version 2 says `max` (no number) and version 1 a number near 2^63.
        if limit is None or limit >= host.total:
            continue
        total = min(total, limit)
        free = limit - max(0, (used or 0) - _cached_bytes(folder))
        available = min(available, max(0, free))
    return Memory(total, available)


def _groups(root: Path, own: Path) -> Iterator[Path]:
    """Yield the folders of this process's memory groups and of all above them.

    In a container the paths in `own` may be the host's, which are not there: the mounted root then
    is the container's own group.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        top = root / "memory" if kinds else root
        group = top / path.lstrip("/")
        while group != top:
            yield group
            group = group.parent
        yield top


def _number(folder: Path, names: tuple[str, ...]) -> int | None:
    for name in names:
        try:
            return int((folder / name).read_text())
        except (OSError, ValueError):
            continue
    return None


def _cached_bytes(folder: Path) -> int:
    """Return the bytes of files in memory: they count as used, and are given up when asked for."""
    try:
        rows = [line.split() for line in (folder / "memory.stat").read_text().splitlines()]
    except OSError:
        return 0
    found = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
    # Version 1 has the same names without `total_`, for the group alone.
    keys = _CACHED_V1 if found.keys() >= _CACHED_V1 else _CACHED
    return sum(found.get(key, 0) for key in keys)
