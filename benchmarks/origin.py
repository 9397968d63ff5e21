"""Where a figure comes from: when, by which commit, on which machine, with which versions."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import bounds

from goodhart_gap.provenance.machine import machine

ROOT = Path(__file__).parents[1]

PAGES = ":(exclude)benchmarks/*.md"
"""What benchmarks write themselves; the page of one run does not make the next another's."""


def made() -> dict[str, Any]:
    """When something is measured, and by which commit: {"date", "commit", "dirty"}.

    `dirty`: whether files differ from that commit, other than the pages of benchmarks.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "--short", "HEAD"),
        "dirty": bool(git("status", "--porcelain", "--untracked-files=no", "--", ".", PAGES)),
    }


def place(cores: int | None = None) -> dict[str, Any]:
    """The machine; `cores` are those that were used (all)."""
    here = machine()
    return {
        "cpu": here.cpu,
        "instructions": here.instructions,
        "format": bounds.forward_format(),
        "cores": cores or here.cores,
        "memory_bytes": here.memory_bytes,
        "system": platform.system(),
        "load": os.getloadavg()[0],
    }


def versions(*names: str) -> dict[str, str]:
    """The installed version of each package."""
    return {name: version(name) for name in names}
