"""What a killed sampling job leaves behind, and what the next one makes of it."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from goodhart_gap.evaluation.progress import Progress
from goodhart_gap.evaluation.responses import Prompt, Response
from goodhart_gap.evaluation.sampler import sample
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.files import journal_path
from goodhart_gap.journal import Journal
from goodhart_gap.script import Script

PROMPTS = [Prompt(f"task{number}", "execution", f"Question {number}?") for number in range(7)]
SETTINGS = SamplingSettings(max_new_tokens=4)


class Tokenizer:
    chat_template = None

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": list(text.encode())}

    def decode(self, tokens: list[int], **_: bool) -> str:
        return f"{tokens} \u2028\n"  # a line separator that is no end of a line


class Engine:
    """Answers with numbers that depend on the whole batch, and may be killed in the middle."""

    positions = None

    def __init__(self, killed_at: int | None = None) -> None:
        self.killed_at = killed_at
        self.batches: list[list[str]] = []

    def prompts_at_once(self, longest: int, runs: int, settings: SamplingSettings) -> int:
        return 2

    def generate(
        self,
        encoded: Sequence[list[int]],
        rows: Sequence[Response],
        seed: int,
        settings: SamplingSettings,
        progress: Progress,
    ) -> None:
        if len(self.batches) == self.killed_at:
            raise KeyboardInterrupt
        self.batches.append([row.prompt.task for row in rows])
        for row in rows:
            row.tokens = [len(rows), sum(map(len, encoded)), row.run]


def run(engine: Engine, journal: Journal | None) -> list[dict[str, Any]]:
    return sample(engine, Tokenizer(), PROMPTS, range(3), 7, SETTINGS, journal)


def test_finished_batches_survive(tmp_path: Path) -> None:
    undisturbed = run(Engine(), None)
    journal = Journal(tmp_path / "journal", "key")
    with pytest.raises(KeyboardInterrupt):
        run(Engine(killed_at=2), journal)
    second = Engine(killed_at=1)
    with pytest.raises(KeyboardInterrupt):
        run(second, journal)
    assert second.batches == [["task4"] * 3 + ["task5"] * 3]
    last = Engine()
    assert run(last, journal) == undisturbed
    assert last.batches == [["task6"] * 3]


def test_a_line_cut_by_the_kill_does_not_count(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", "key")
    with pytest.raises(KeyboardInterrupt):
        run(Engine(killed_at=2), journal)
    journal.path.write_bytes(journal.path.read_bytes()[:-20])
    again = Engine()
    assert run(again, journal) == run(Engine(), None)
    assert again.batches[0] == ["task2"] * 3 + ["task3"] * 3


def test_the_journal_of_other_settings_does_not_count(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Engine(killed_at=3), Journal(tmp_path / "journal", "key"))
    assert Journal(tmp_path / "journal", "another key").read() == []
    assert Journal(tmp_path / "journal", "key").read() == []  # the other one has begun anew


def test_a_script_keeps_its_journal_until_its_output_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "scripts/count.py"
    file.parent.mkdir()
    file.write_text("")
    seen: list[list[dict[str, Any]]] = []

    def job(value: str, dies: bool) -> None:
        script = Script("Counts.")
        script.output("--counts", journal=True)
        script.value("--value")

        def main(args: Namespace) -> None:
            seen.append(args.counts_journal.read())
            args.counts_journal.append([{"value": value}])
            if dies:
                raise KeyboardInterrupt
            args.counts.write_text("done")

        words = [str(file), "--counts", "results/counts.txt", "--value", value]
        monkeypatch.setattr(sys, "argv", words)
        script.run(main)

    output = tmp_path / "results/counts.txt"
    for value in ("1", "1", "2"):
        with pytest.raises(KeyboardInterrupt):
            job(value, dies=True)
        assert journal_path(output).exists()
        assert not output.exists()
    job("2", dies=False)
    assert seen == [[], [{"value": "1"}], [], [{"value": "2"}]]
    assert output.read_text() == "done"
    assert not journal_path(output).exists()
