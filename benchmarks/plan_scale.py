"""Seconds `goodhart-gap plan` takes on the Qwen2-72B plan at 1, 2 and 4 times its size.

    python benchmarks/plan_scale.py

Prints a table: jobs in the graph, seconds of wall clock and of CPU, peak memory. Size is scaled by
seed families (5, 10, 20) of a 20-task experiment of 25 runs (N = 500) in three conditions, with 80
blocks, one block a shard.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def config(families: int) -> dict[str, Any]:
    """Return the configuration of the experiment with that many seed families."""
    compress = {"bits": 4, "group_size": 64, "rank": 64}
    return {
        "build": ["big"],
        "models": {
            "qwen2-72b": {
                "source": "hf:Qwen/Qwen2-72B-Instruct",
                "revision": "0" * 40,
                "blocks": 80,
                "blocks_per_shard": 1,
                "sizes": {
                    "hidden": 8192,
                    "intermediate": 29568,
                    "queries": 8192,
                    "keys": 1024,
                    "vocabulary": 152064,
                },
                "calibration": {"sequences": 256, "sequence_length": 2048},
            }
        },
        "conditions": {
            "baseline": {},
            "uniform": {"compress": compress},
            "selective": {"compress": compress, "protect": {"last": 10}},
        },
        "experiments": {
            "big": {
                "source": "live",
                "model": "qwen2-72b",
                "tasks": "original-20",
                "conditions": ["baseline", "uniform", "selective"],
                "baseline": "baseline",
                "runs": 25,
                "runs_per_job": 5,
                "seeds": list(range(42, 42 + families)),
            }
        },
    }


def measure(families: int, folder: Path) -> tuple[int, float, float, float]:
    """Return jobs, wall-clock and CPU seconds, and peak memory in MB of one plan."""
    settings, plan = folder / f"{families}.json", folder / f"plan{families}.json"
    settings.write_text(json.dumps(config(families)))
    options = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    rates = str(ROOT / "config/plan.yaml")
    command = [sys.executable, "-m", "goodhart_gap.cli", "plan", "--rates", rates]
    command += ["--results", str(folder / "results"), "--json", str(plan)]
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [*command, "--", *options, "--configfile", str(settings)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    jobs = json.loads(plan.read_text())["jobs_in_graph"]
    return jobs, time.monotonic() - started, cpu, after.ru_maxrss / 1024


def main() -> None:
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    print("| seed families | jobs | seconds | CPU seconds | peak MB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("config", "rules", "scripts"):
            (Path(folder) / name).symlink_to(ROOT / name)
        for families in (5, 10, 20):
            jobs, wall, cpu, memory = measure(families, Path(folder))
            print(f"| {families} | {jobs} | {wall:.1f} | {cpu:.1f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
