from pathlib import Path

import pytest

from goodhart_gap.operations.queue import leftovers


def test_jobs_of_a_killed_run_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert leftovers(tmp_path) == []
    program = tmp_path / "squeue"
    program.write_text(
        f"#!/bin/sh\necho '12|{tmp_path}'\necho '13|/elsewhere'\necho '14|{tmp_path}'\n"
    )
    program.chmod(0o755)
    (refusal,) = leftovers(tmp_path)
    assert refusal.startswith("squeue: 2 jobs of an earlier run in this folder are still")
    assert "`scancel 12 14`" in refusal
    assert leftovers(tmp_path / "other") == []


def test_the_job_that_runs_snakemake_is_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "squeue"
    program.write_text(f"#!/bin/sh\necho '12|{tmp_path}'\n")
    program.chmod(0o755)
    assert leftovers(tmp_path, own="12") == []
    assert leftovers(tmp_path, own="1") != []
    program.write_text(f"#!/bin/sh\necho '12|{tmp_path}'\necho '13|{tmp_path}'\n")
    (refusal,) = leftovers(tmp_path, own="12")
    assert "`scancel 13`" in refusal
