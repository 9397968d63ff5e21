"""The command line tool on a finished experiment: show what it found, talk to its checkpoints."""

import subprocess
import sys

from tests.integration.workshop import Workshop


def goodhart_gap(workshop: Workshop, *words: str) -> str:
    """Run the tool in the workshop and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "goodhart_gap.cli", *words],
        cwd=workshop.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_show(finished: Workshop) -> None:
    out = goodhart_gap(finished, "show", "tiny-n40")
    assert out.startswith("tiny-n40: 3 conditions, 20 tasks, 40 evaluations a condition\n")
    assert "no verdict on" in out
    assert "read results/tiny-n40/ANALYSIS.md\n" in out


def test_chat_asks_base_and_compressed_the_same_and_twice_gives_the_same(
    finished: Workshop,
) -> None:
    finished.command()  # writes tiny.yaml
    words = ("chat", "uniform", "--configfile", "tiny.yaml", "--once", "What is 2 + 2?")
    out = goodhart_gap(finished, *words)
    assert out.count("## base (16 tokens, cut at the limit)\n") == 1
    assert out.count("## uniform (16 tokens, cut at the limit)\n") == 1
    assert goodhart_gap(finished, *words) == out
