"""The command reads `.env`, as the workflow does, and prints no value of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CANARY = "canary-0123456789"


def told(folder: Path, word: str, **variables: str) -> str:
    """What the command prints about a word that it does not know, run in a folder."""
    kept = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    done = subprocess.run(
        [sys.executable, "-m", "goodhart_gap.cli", word],
        cwd=folder,
        env=kept | {"COLUMNS": "200", "PYTHONPATH": ":".join(sys.path)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    return done.stdout + done.stderr


@pytest.mark.parametrize("quotes", ["", '"'])
def test_the_values_of_a_dotenv_file_are_masked(tmp_path: Path, quotes: str) -> None:
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={quotes}{CANARY}{quotes}\n")
    text = told(tmp_path, CANARY)
    assert "***OPENAI_API_KEY***" in text
    assert CANARY not in text


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=of-the-file\n")
    assert CANARY not in told(tmp_path, CANARY, OPENAI_API_KEY=CANARY)
    assert "of-the-file" in told(tmp_path, "of-the-file", OPENAI_API_KEY=CANARY)


def test_without_a_file_nothing_is_read(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={CANARY}\n")
    assert CANARY in told(tmp_path / "below", CANARY)
