"""Jobs of an earlier run that are still in Slurm's queue: two writers of the same files."""

import getpass
import subprocess
from pathlib import Path


def leftovers(folder: Path, own: str | None = None) -> list[str]:
    """Return a refusal where jobs that were submitted from `folder` are still in the queue.

    Called before anything is submitted, so they belong to a run that was killed; but for `own`, the
    job that this process itself is part of (inside sbatch or salloc, $SLURM_JOB_ID).
    """
    # %A is a number of its own for each task of an array, as $SLURM_JOB_ID is; %i is not.
    command = ["squeue", "--noheader", "--user", getpass.getuser(), "--format=%A|%Z"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.strip().partition("|") for line in done.stdout.splitlines())
    jobs = [number for number, _, place in rows if Path(place) == folder.resolve()]
    jobs = [number for number in jobs if number != own]
    if not jobs:
        return []
    return [
        f"squeue: {len(jobs)} jobs of an earlier run in this folder are still in the queue; wait "
        f"until they are gone, or end them with `scancel {' '.join(jobs)}`."
    ]
