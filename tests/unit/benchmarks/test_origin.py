"""Which runs of benchmarks are of one commit."""

import subprocess
from pathlib import Path

import pytest
from benchmarks import origin


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit that `origin` takes for its own."""

    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks/RESULTS.md").write_text("of an earlier run")
    (tmp_path / "code.py").write_text("x = 1")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    monkeypatch.setattr(origin, "ROOT", tmp_path)
    return tmp_path


def test_the_page_a_run_writes_leaves_the_next_on_the_same_commit(checkout: Path) -> None:
    (checkout / "benchmarks/RESULTS.md").write_text("of this run")
    (checkout / "benchmarks/results.jsonl").write_text("not tracked")
    assert origin.made()["dirty"] is False


def test_changed_code_is_noted(checkout: Path) -> None:
    (checkout / "code.py").write_text("x = 2")
    assert origin.made()["dirty"] is True
