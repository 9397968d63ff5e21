"""The command line tool, run in this process, in a folder with the configuration."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from goodhart_gap.cli import main

ROOT = Path(__file__).parents[3]


@dataclass
class Result:
    """What a command printed, and how it ended."""

    status: object
    out: str
    err: str


Tool = Callable[..., Result]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with Snakefile and config/, which is the current one."""
    shutil.copy(ROOT / "Snakefile", tmp_path)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tool:
    """Runs `goodhart-gap` with some words; an error sentence is its status."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: str) -> Result:
        monkeypatch.setattr("sys.argv", ["goodhart-gap", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return Result(stop.value.code, captured.out, captured.err)

    return run
