"""A lock is removed only where no snakemake process is alive in the folder."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from goodhart_gap.locks import remove_stale_locks


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    folder = tmp_path / ".snakemake/locks"
    folder.mkdir(parents=True)
    (folder / "0.input.lock").touch()
    (folder / "0.output.lock").touch()
    return tmp_path


def test_a_stale_lock_is_removed(locked: Path) -> None:
    assert remove_stale_locks(locked)
    assert list((locked / ".snakemake/locks").iterdir()) == []
    assert not remove_stale_locks(locked)


def test_the_lock_of_a_living_run_stays(locked: Path) -> None:
    (locked / "snakemake").write_text("import time\ntime.sleep(600)\n")
    run = subprocess.Popen([sys.executable, "snakemake"], cwd=locked)
    try:
        deadline = time.monotonic() + 120
        while "snakemake" not in psutil.Process(run.pid).cmdline():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not remove_stale_locks(locked)
        assert len(list((locked / ".snakemake/locks").iterdir())) == 2
    finally:
        run.kill()
        run.wait()
    assert remove_stale_locks(locked)
