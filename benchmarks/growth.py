"""How do time and memory grow with runs, tasks, blocks and width?

    python -m benchmarks.growth [--only runs] [--quick]

Stages are run on made-up inputs of growing size, each point in a process of its own
(growth_job.py), on one core. A line of JSON a point is appended to benchmarks/results/growth.jsonl;
growth_table.py makes of them what a page says. Besides the sizes of an axis a small one is
measured, from which follows what does not grow.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import origin
from benchmarks.growth_experiments import RUNS_AXIS, TASKS_AXIS
from benchmarks.growth_layers import BLOCKS_AXIS, WIDTH_AXIS
from benchmarks.growth_measures import Axis, Measure

ROOT = origin.ROOT
RESULTS = Path("benchmarks/results/growth.jsonl")

ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

AXES = {axis.name: axis for axis in (RUNS_AXIS, TASKS_AXIS, BLOCKS_AXIS, WIDTH_AXIS)}


def grow(axis: Axis, sizes: tuple[int, ...], facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Measure all stages of an axis at each of its sizes; yield a line for each."""
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="growth-") as folder:
            for measure in axis.measures:
                found = point(measure, Path(folder), size)
                shared = {"axis": axis.name, "what": measure.what, "size": size}
                kind = {"unit": measure.unit, "memory_exponent": measure.memory_exponent}
                yield facts | shared | kind | {"fixed": axis.fixed} | found


def point(measure: Measure, folder: Path, size: int) -> dict[str, Any]:
    """Prepare one point and measure it in a process of its own."""
    prepared = measure.prepare(folder, size)
    job, found = folder / "point.json", folder / "found.json"
    job.write_text(json.dumps({"folder": str(folder), "jobs": prepared.jobs}))
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.growth_job", str(job), str(found)],
        env=os.environ | ONE_CORE | {"PYTHONPATH": path.rstrip(os.pathsep)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"error: {measure.what} at {size}: {done.stderr[-2000:]}")
    measured = json.loads(found.read_text())
    counted = measured.pop("counted_jobs")
    work = counted if prepared.work is None else prepared.work
    return measured | {"work": work}


def facts() -> dict[str, Any]:
    """Return what every line says about this measurement."""
    made = origin.made()
    return {
        "session": made["date"],
        "commit": made["commit"],
        "dirty": made["dirty"],
        "machine": origin.place(1),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=AXES, nargs="+", default=list(AXES))
    parser.add_argument("--quick", action="store_true", help="small sizes, to try things out")
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args(arguments)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    known = facts()
    for name in args.only:
        started = time.monotonic()
        axis = AXES[name]
        sizes = axis.quick if args.quick else (axis.start, *axis.sizes)
        with args.output.open("a", encoding="utf-8") as handle:
            for line in grow(axis, sizes, known):
                handle.write(json.dumps(line) + "\n")
                handle.flush()
                shown = f"{line['seconds']:9.3f} s {line['peak_bytes'] / 2**20:7.0f} MiB"
                print(f"{name:7} {line['size']:5} {line['what']:40} {shown}", flush=True)
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
