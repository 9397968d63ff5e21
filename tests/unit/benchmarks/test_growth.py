"""The growth benchmark: its fit, its verdicts, and its jobs on the smallest inputs."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import growth, growth_experiments, growth_job, growth_layers, growth_table
from benchmarks.growth_fit import fit
from benchmarks.growth_measures import Axis, Measure, Prepared

from goodhart_gap.files import read_json, read_jsonl

SIZES = (1, 5, 25, 100)


@pytest.mark.parametrize("fixed", [0.001, 2.0])
@pytest.mark.parametrize(("power", "expected"), [(1, 1.0), (2, 1.96)])
def test_a_fixed_part_does_not_flatter(fixed: float, power: int, expected: float) -> None:
    found = fit(SIZES, [fixed + 0.1 * size**power for size in SIZES])
    assert found.last == pytest.approx(expected, abs=0.005)


def test_the_last_two_show_what_takes_over() -> None:
    found = fit(SIZES, [1 + size + 0.02 * size**2 for size in SIZES])
    assert found.whole is not None
    assert found.last is not None
    assert 1.1 < found.whole < found.last < 2


def test_noise_is_no_growth() -> None:
    assert not fit(SIZES, [2.0, 2.05, 1.97, 2.08]).grows
    assert fit(SIZES, [2.0, 2.05, 1.97, 3.0]).last is None
    known = fit(SIZES, [2.0, 1.9, 4.4, 11.9])
    assert known.last == pytest.approx(1.0)


def written(path: Path, seconds: Callable[[int], float], session: str = "2") -> None:
    shared = {
        "session": session,
        "commit": "0123456789ab",
        "dirty": False,
        "machine": {"cpu": "a cpu", "cores": 1, "memory_bytes": 2**30},
        "axis": "runs",
        "fixed": "nothing",
        "unit": "evaluations",
        "repetitions": 3,
    }
    with path.open("a") as handle:
        for size in SIZES:
            values = {"size": size, "work": 20 * size, "seconds": seconds(size)}
            peak = 2**27 + (2**21 * size if session == "2" else 0)
            more = {"peak_bytes": peak, "memory_exponent": 0, "what": "a stage"}
            handle.write(
                json.dumps(shared | values | more | {"wall_seconds": 1.5 * seconds(size)}) + "\n"
            )


def test_the_page_says_what_is_worse(tmp_path: Path) -> None:
    path = tmp_path / "growth.jsonl"
    assert "Not measured" in growth_table.lines(path)[2]
    written(path, lambda size: 1 + 0.1 * size, session="1")
    text = "\n".join(growth_table.lines(path))
    assert "None of the 1 is worse than linear" in text
    assert "grows nowhere faster" in text
    assert "| a stage | 1.10 | 1.50 | 3.50 | 11.0 | evaluations | 1.00 (1.00) | 1.00 (1.00)" in text
    # The latest session counts.
    written(path, lambda size: 1 + 0.01 * size**2)
    text = "\n".join(growth_table.lines(path))
    assert "Worse than linear in the work: a stage against runs." in text
    assert "More memory than expected: a stage against runs." in text
    assert "up to 1.50 times" in text


def test_a_point_is_a_process_of_its_own(tmp_path: Path) -> None:
    ballast = b"x" * 2**28
    freeze = Measure("freeze_tasks", "tasks", 1, growth_experiments.frozen)
    axis = Axis("tasks", 2, (4,), (2, 4), "nothing", (freeze,))
    rows = list(growth.grow(axis, (2, 4), {"session": "1"}))
    assert [(row["size"], row["work"]) for row in rows] == [(2, 2), (4, 4)]
    assert all(row["repetitions"] >= 2 and 0 < row["seconds"] < 20 for row in rows)
    assert all(2**24 < row["peak_bytes"] < len(ballast) for row in rows)


def test_a_job_that_fails_says_so(tmp_path: Path) -> None:
    broken = Measure("broken", "tasks", 1, lambda folder, size: Prepared([["no_script"]], 1))
    with pytest.raises(SystemExit, match="broken at 1"):
        growth.point(broken, tmp_path, 1)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Prepared], None]:
    """Run prepared jobs in this process."""
    monkeypatch.chdir(tmp_path)
    for name in ("argv", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))

    def run_all(prepared: Prepared) -> None:
        for job in prepared.jobs:
            growth_job.run(job)

    return run_all


def test_an_experiment_goes_through(
    tmp_path: Path, run: Callable[[Prepared], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth_experiments, "NEW_TOKENS", 2)
    monkeypatch.setitem(growth_experiments.MODEL, "hidden", 16)
    for measure in growth_experiments.RUNS_AXIS.measures[:-1]:
        run(measure.prepare(tmp_path, 2))
    assert len(read_jsonl(tmp_path / "sampled.jsonl")) == 2 * 40
    assert len(read_json(tmp_path / "scored" / "run1.json")["outcomes"]) == 20
    # A header, and an evaluation a condition, task and run.
    assert len((tmp_path / "outcomes.csv").read_text().splitlines()) == 1 + 3 * 20 * 2
    assert "simulated" in (tmp_path / "power.csv").read_text()


def test_a_model_goes_through(
    tmp_path: Path, run: Callable[[Prepared], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth_layers, "HIDDEN", 32)
    for measure in growth_layers.BLOCKS_AXIS.measures[:-1]:
        run(measure.prepare(tmp_path, 3))
    names = {path.name for path in (tmp_path / "two" / "compressed").glob("blocks*.safetensors")}
    assert names == {"blocks000-001.safetensors", "blocks002-002.safetensors"}
    assert (tmp_path / "two" / "compressed" / "model.safetensors.index.json").exists()
    assert (tmp_path / "one" / "compressed" / "blocks000-002.safetensors").exists()


def test_operations_grow_as_products_do() -> None:
    ratios = [
        growth_layers.operations(rule, 2048) / growth_layers.operations(rule, 1024)
        for rule in ("accumulate_hessians", "compress_shard")
    ]
    assert ratios[0] == pytest.approx(4)
    assert 7.5 < ratios[1] < 8
