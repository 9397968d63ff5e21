"""The watch: a line a minute about disk, memory, GPUs and jobs; near a limit, a clean stop.

    python -m goodhart_gap.operations.monitor --pid 4711 --results results \\
        --file logs/monitor.jsonl --log .snakemake/log/x.log --settings '{}'

Runs beside Snakemake (process `--pid`) and ends with it. Snakemake finishes its running jobs when
it is asked to end (SIGTERM) and starts no more, so nothing finished is lost and nothing half-made
is left.
"""

import argparse
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from goodhart_gap.operations.machine import disk_of, gpus, used_bytes
from goodhart_gap.operations.memory import memory
from goodhart_gap.operations.settings import OperationsSettings

_PROGRESS = re.compile(r"(\d+) of (\d+) steps")
LOOK_S = 1.0
"""How often the watch looks whether Snakemake is still there."""


def observe(results: Path, log: Path | None, quota_bytes: float | None = None) -> dict[str, Any]:
    """Return one line: free disk, available memory, GPUs, jobs done; of a quota, what is left."""
    done, of = progress(log)
    left = {} if quota_bytes is None else {"quota_left_bytes": quota_bytes - used_bytes(results)}
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "disk_free_bytes": disk_of(results).free_bytes,
        **left,
        "memory_available_bytes": memory().available_bytes,
        "gpus": [
            {"used_bytes": gpu.used_bytes, "memory_bytes": gpu.memory_bytes} for gpu in gpus()
        ],
        "jobs_done": done,
        "jobs": of,
    }


def progress(log: Path | None) -> tuple[int | None, int | None]:
    """Return how many jobs of how many are done, by the last word of Snakemake's log on it."""
    if log is None or not log.exists():
        return None, None
    found = _PROGRESS.findall(log.read_text(errors="replace"))
    return (int(found[-1][0]), int(found[-1][1])) if found else (0, None)


def limit_reached(line: dict[str, Any], settings: OperationsSettings, results: Path) -> str | None:
    """Return why the run should stop, or None."""
    limits: Iterable[tuple[str, float, str, str]] = (
        ("disk_free_bytes", settings.least_disk_bytes, f"{results}: the disk has", "disk"),
        ("quota_left_bytes", settings.least_disk_bytes, f"{results}: the quota has", "disk"),
        ("memory_available_bytes", settings.least_memory_bytes, "main memory has", "memory"),
    )
    for key, least, what, name in limits:
        if key in line and line[key] < least:
            return (
                f"{what} {line[key] / 1e9:.2f} GB left, less than operations.least_{name}_bytes = "
                f"{least / 1e9:.2f} GB; running jobs end, no more start. Make room and run again."
            )
    return None


def watch(
    pid: int, results: Path, file: Path, log: Path | None, settings: OperationsSettings
) -> str | None:
    """Write lines until process `pid` is gone; return why it was asked to stop, if it was."""
    file.parent.mkdir(parents=True, exist_ok=True)
    reason: str | None = None
    while True:
        line = observe(results, log, settings.results_quota_bytes)
        if reason is None:
            reason = limit_reached(line, settings, results)
            if reason:
                print(f"error: {reason}", file=sys.stderr, flush=True)
                line["stopped"] = reason
                _append(file, line)
                _ask_to_end(pid)
                continue
        _append(file, line)
        waited = 0.0
        while waited < settings.every_s:
            if not _lives(pid):
                _append(file, observe(results, log, settings.results_quota_bytes))
                return reason
            step = min(LOOK_S, settings.every_s - waited)
            time.sleep(step)
            waited += step


def _append(file: Path, line: dict[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(line) + "\n")


def _ask_to_end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def main() -> None:
    """Watch one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--settings", required=True)
    arguments = parser.parse_args()
    # The terminal's interrupt is for Snakemake; the watch ends when Snakemake has.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = OperationsSettings.model_validate_json(arguments.settings)
    watch(arguments.pid, arguments.results, arguments.file, arguments.log, settings)


if __name__ == "__main__":
    main()
