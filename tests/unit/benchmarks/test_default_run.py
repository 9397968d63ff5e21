"""The wall clock of a run is read from what its jobs left behind."""

import json
import os
from pathlib import Path

import pytest
from benchmarks.default_run import account


def job(clone: Path, rule: str, name: str, end: float, process_s: float, script_s: float) -> None:
    """Leave behind what a job of `rule` does that ended at `end`."""
    paths = {
        clone / f"logs/benchmarks/{rule}/{name}.jsonl": {"s": process_s},
        clone / f"results/{rule}-{name}.prov.json": {
            "job": {"script": rule},
            "outputs": [{"path": f"results/{rule}-{name}"}],
            "run": {"seconds": script_s},
        },
    }
    for path, content in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content) + "\n")
        os.utime(path, (end, end))


def test_seconds_are_kept_by_stage_and_by_rule(tmp_path: Path) -> None:
    job(tmp_path, "compress_shard", "m/half-2.5bit/blocks000-001", 1010.0, 9.0, 8.0)
    job(tmp_path, "compress_shard", "m/packed/blocks000-001", 1020.0, 7.0, 6.0)
    job(tmp_path, "assemble", "m/half-2.5bit", 1030.0, 5.0, 1.0)
    found = account(tmp_path, 40.0, 900.0)
    assert found["rules"] == {
        "assemble": {"jobs": 1, "process_s": pytest.approx(5.0)},
        "compress_shard": {"jobs": 2, "process_s": pytest.approx(16.0)},
    }
    assert found["conditions"] == {
        "half-2.5bit": {"jobs": 2, "process_s": pytest.approx(14.0)},
        "packed": {"jobs": 1, "process_s": pytest.approx(7.0)},
    }
    assert found["stages"]["compression"]["jobs"] == 3
    assert found["stages"]["compression"]["job_s"] == pytest.approx(15.0)
    assert found["start_up"]["job_s"] == pytest.approx(6.0)
    assert found["nothing_s"] == pytest.approx(40 - 21)
