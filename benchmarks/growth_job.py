"""Run the jobs of one point of benchmarks/growth.py in this process; note seconds and peak memory.

    python -m benchmarks.growth_job point.json found.json

A job is a script of the workflow with its arguments, run as its rule runs it but without a process
of its own, or `snakemake`, whose processes are counted as they are. The jobs are run several times
and the least processor time is taken, which other jobs of the machine disturb least; one thread
works and files are small, so on a quiet machine it is the wall-clock time, which is noted as well.
The first time imports what the scripts need, so it is not the least, and the others measure the
work alone. What one job leaves behind is collected before the next one, off the clock: by the rules
each begins anew. The peak is that of the first time, of a process that does the jobs once.
"""

import gc
import json
import os
import re
import resource
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

SNAKEMAKE = "snakemake"
"""The job that is no script."""

REPETITIONS = 3
"""Times that jobs are run, at least, if that is quick."""

SLOW_S = 2.5
"""Jobs that take longer are run twice."""

SHORT_S = 1.0
"""Jobs are run again until they have taken this long together."""

MOST = 20


def run(job: list[str]) -> int | None:
    """Run a job; return how many jobs `snakemake` counted, if it is that."""
    name, *arguments = job
    if name == SNAKEMAKE:
        return _snakemake(arguments)
    script = ROOT / "scripts" / f"{name}.py"
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")
    return None


def measure(jobs: list[list[str]]) -> dict[str, Any]:
    """Return seconds (of the processor, the least), wall-clock seconds, peak, counted jobs."""
    taken: list[float] = []
    wall: list[float] = []
    peak_bytes = 0
    counted = None
    while not _enough(taken):
        taken.append(0.0)
        wall.append(0.0)
        for job in jobs:
            gc.collect()
            gc.freeze()
            started, used = time.perf_counter(), _processor_s()
            counted = run(job)
            taken[-1] += _processor_s() - used
            wall[-1] += time.perf_counter() - started
        peak_bytes = peak_bytes or _peak_bytes([name for name, *_ in jobs])
    return {
        "seconds": min(taken),
        "wall_seconds": min(wall),
        "repetitions": len(taken),
        "peak_bytes": peak_bytes,
        "counted_jobs": counted,
    }


def _enough(taken: list[float]) -> bool:
    if len(taken) < 2:
        return False
    if min(taken) > SLOW_S or len(taken) >= MOST:
        return True
    return len(taken) >= REPETITIONS and sum(taken) > SHORT_S


def _processor_s() -> float:
    """Processor time of this process and of its children that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _snakemake(arguments: list[str]) -> int:
    """Run a dry run; return how many jobs it would run."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"error: snakemake {' '.join(arguments)}: {done.stderr}")
    found = re.search(r"^total\s+(\d+)$", done.stdout, re.MULTILINE)
    return int(found[1]) if found else 0


def _peak_bytes(names: list[str]) -> int:
    """Most memory this process has had, or the largest of its children where those did the work.

    On Linux from /proc: what getrusage says begins with the memory of the process that started
    this one. The process is small until the first job, so that of its children is theirs.
    """
    status = Path("/proc/self/status")
    if SNAKEMAKE not in names and status.exists():
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    who = resource.RUSAGE_CHILDREN if SNAKEMAKE in names else resource.RUSAGE_SELF
    peak = resource.getrusage(who).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    point, found = map(Path, sys.argv[1:])
    content = json.loads(point.read_text())
    os.chdir(content["folder"])
    found.write_text(json.dumps(measure(content["jobs"])))


if __name__ == "__main__":
    main()
