import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from goodhart_gap.operations import monitor
from goodhart_gap.operations.memory import Memory
from goodhart_gap.operations.monitor import limit_reached, observe, progress, watch
from goodhart_gap.operations.settings import OperationsSettings

LINE = {"disk_free_bytes": 5e9, "memory_available_bytes": 5e9}


def test_progress_is_the_last_word_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert progress(None) == progress(log) == (None, None)
    log.write_text("1 of 12 steps (8%) done\nnoise\n3 of 12 steps (25%) done\n")
    assert progress(log) == (3, 12)


def test_limits_are_named_with_numbers() -> None:
    settings = OperationsSettings(least_disk_bytes=6e9)
    reason = limit_reached(LINE, settings, Path("results"))
    assert reason is not None
    assert reason.startswith("results: the disk has 5.00 GB left, less than")
    assert limit_reached(LINE, OperationsSettings(), Path("results")) is None
    memory = limit_reached(LINE, OperationsSettings(least_memory_bytes=9e9), Path("results"))
    assert memory is not None
    assert memory.startswith("main memory has 5.00 GB left")


def test_memory_is_that_of_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "memory", lambda: Memory(128, 7))
    assert observe(tmp_path, None)["memory_available_bytes"] == 7


def test_a_quota_is_watched_like_the_disk(tmp_path: Path) -> None:
    (tmp_path / "shard").write_bytes(bytes(300))
    assert "quota_left_bytes" not in observe(tmp_path, None)
    line = observe(tmp_path, None, quota_bytes=5e9)
    assert line["quota_left_bytes"] == 5e9 - 300
    settings = OperationsSettings(results_quota_bytes=5e9, least_disk_bytes=0)
    assert limit_reached(line, settings, tmp_path) is None
    full = line | {"quota_left_bytes": -1e7}
    reason = limit_reached(full, settings, tmp_path)
    assert reason is not None
    assert reason.startswith(f"{tmp_path}: the quota has -0.01 GB left, less than operations.least")


def test_it_writes_lines_until_the_run_ends(tmp_path: Path) -> None:
    run = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    file = tmp_path / "logs/monitor.jsonl"

    def end_after_three_lines() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if file.exists() and file.read_text().count("\n") >= 3:
                break
            time.sleep(0.02)
        run.communicate(b"\n")

    threading.Thread(target=end_after_three_lines).start()
    watch(run.pid, tmp_path, file, None, OperationsSettings(every_s=0.1))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) > 3
    assert all(line["disk_free_bytes"] > 0 and line["memory_available_bytes"] > 0 for line in lines)
    assert run.wait() == 0


def test_near_a_limit_the_run_is_asked_to_end_once(tmp_path: Path) -> None:
    run = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    file = tmp_path / "monitor.jsonl"
    settings = OperationsSettings(every_s=0.1, least_disk_bytes=1e18)
    reaper = threading.Thread(target=run.wait)
    reaper.start()
    reason = watch(run.pid, tmp_path, file, None, settings)
    reaper.join()
    assert run.returncode == -signal.SIGTERM
    stopped = [json.loads(line).get("stopped") for line in file.read_text().splitlines()]
    assert [item for item in stopped if item] == [reason]
