"""Memory where a container or a Slurm job has less than the machine."""

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from goodhart_gap.operations.memory import Memory, memory

GB = 10**9


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(total=500 * GB, available=400 * GB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: found)


def write(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def own(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "cgroup"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_without_control_groups_it_is_the_hosts(tmp_path: Path) -> None:
    expected = Memory(500 * GB, 400 * GB)
    assert memory(tmp_path, tmp_path / "missing") == expected
    write(tmp_path, memory__max="max", memory__current=3)
    assert memory(tmp_path, own(tmp_path, "0::/")) == expected
    write(tmp_path / "memory", memory__limit_in_bytes=9223372036854771712)
    assert memory(tmp_path, own(tmp_path, "4:memory:/")) == expected


def test_a_container_of_version_2(tmp_path: Path) -> None:
    """The file cache counts as used there; it gives way, so a run that reads much is not ended."""
    stat = f"anon {20 * GB}\nactive_file {30 * GB}\ninactive_file {60 * GB}\nfile {99 * GB}"
    write(tmp_path, memory__max=128 * GB, memory__current=120 * GB, memory__stat=stat)
    assert memory(tmp_path, own(tmp_path, "0::/")) == Memory(128 * GB, 98 * GB)


def test_a_limit_above_holds_for_a_group_below(tmp_path: Path) -> None:
    write(tmp_path / "slurm/job_7", memory__max=64 * GB, memory__current=10 * GB)
    write(tmp_path / "slurm/job_7/step_0", memory__max="max", memory__current=10 * GB)
    found = memory(tmp_path, own(tmp_path, "0::/slurm/job_7/step_0"))
    assert found == Memory(64 * GB, 54 * GB)


def test_version_1_in_a_container_that_is_told_the_hosts_path(tmp_path: Path) -> None:
    top = tmp_path / "memory"
    stat = f"active_file 1\ninactive_file 1\ntotal_active_file {GB}\ntotal_inactive_file {GB}"
    write(top, memory__limit_in_bytes=32 * GB, memory__usage_in_bytes=10 * GB, memory__stat=stat)
    lines = ("8:pids:/docker/abc", "4:memory:/docker/abc", "0::/")
    assert memory(tmp_path, own(tmp_path, *lines)) == Memory(32 * GB, 24 * GB)
