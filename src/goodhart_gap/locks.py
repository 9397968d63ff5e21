"""Remove the lock that a killed run left behind.

    python -m goodhart_gap.locks

Snakemake locks the folder it works in and cannot unlock it when it is killed. `make reproduce` runs
on this machine alone, so a lock without a living snakemake process in the folder is a stale one.
"""

import sys
from pathlib import Path

import psutil

LOCKS = Path(".snakemake/locks")


def remove_stale_locks(folder: Path) -> bool:
    """Remove Snakemake's locks of `folder` unless a run is alive in it; return whether any were."""
    locks = sorted((folder / LOCKS).glob("*.lock"))
    if not locks or _is_in_use(folder.resolve()):
        return False
    for lock in locks:
        lock.unlink(missing_ok=True)
    return True


def _is_in_use(folder: Path) -> bool:
    """Whether a living process of this machine runs snakemake in `folder`."""
    for process in psutil.process_iter():
        try:
            words = [Path(word).name for word in process.cmdline()[:4]]
            if "snakemake" in words and Path(process.cwd()) == folder:
                return True
        except psutil.Error:
            # Gone in the meantime, or another user's, who cannot hold this folder's lock.
            continue
    return False


if __name__ == "__main__":
    if remove_stale_locks(Path.cwd()):
        print("Removed the lock of a run that was killed.", file=sys.stderr)
