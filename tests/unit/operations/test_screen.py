"""The view of a run on a terminal, and what jobs write in between."""

import ast
import io
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from goodhart_gap.operations import capture, screen
from goodhart_gap.operations.progress import Expectation, Job, Run
from goodhart_gap.operations.screen import Screen, last_line, lasting, summary, why

STAGES = Expectation({"fetch": "models", "compress": "compression"})


class NoCapture:
    """Stands for a terminal that nobody else writes to."""

    def __init__(self) -> None:
        self.file = io.StringIO()

    def start(self) -> io.StringIO:
        return self.file

    def stop(self) -> None:
        pass


def plain(text: str) -> str:
    """What is left of terminal output without its control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def shown(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(renderable)
    return console.file.getvalue()


NOW = 1000.0


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of 30 s, at a moment that lasts."""
    monkeypatch.setattr(screen, "time", SimpleNamespace(monotonic=lambda: NOW))
    log = tmp_path / "compress.log"
    log.write_text("12:00:00 started\n12:00:10 84 of 210 modules, 1.4/s, 90 s left\n\n")
    run = Run(STAGES)
    run.plan({"fetch": 2, "compress": 1, "total": 3})
    run.start(Job(1, "fetch", "Fetch the base", (), NOW - 30))
    run.finish(1, NOW - 20)
    run.start(Job(2, "compress", "Compress blocks 0 to 29", (log,), NOW - 20))
    return run


def test_the_view_shows_stages_jobs_with_their_progress_and_the_whole(run):
    view = shown(Screen(run, capture=NoCapture()).view())
    assert re.search(r"models\s+━+\s+1/2", view)
    assert re.search(r"compression\s+0/1", view)
    assert "Compress blocks 0 to 29  20 s\n  84 of 210 modules, 1.4/s, 90 s left\n" in view
    # Of the other job nothing is known but what the first one took.
    assert "1 of 3 jobs, 30 s so far, about 1 min 40 s left" in view


def test_the_view_of_many_jobs_fits(run):
    for number in range(10, 30):
        run.start(Job(number, "fetch", f"Fetch {number}", (), NOW))
    run.running[2].text = "Compress " + 20 * "very long names "
    view = shown(Screen(run, capture=NoCapture()).view())
    assert "and 13 more" in view
    assert len(view.splitlines()) < 16


def test_failures_are_printed_last_each_in_a_sentence_with_its_log(run, tmp_path):
    capture = NoCapture()
    screen = Screen(run, capture=capture)
    screen.begin()
    log = tmp_path / "compress.log"
    log.write_text("12:00:00 started\nerror: config.yaml: bits = 5: must be 4; correct it.\nbye\n")
    job = run.fail(2, why((log,), "nothing"))
    screen.failed(job)
    screen.say_last("RuleException: CalledProcessError ...", repeated=True)
    screen.say_last("Complete log: x.log")
    screen.say("another line")
    screen.end()
    text = plain(capture.file.getvalue())
    assert "RuleException" not in text
    closing = text[text.index("Complete log") :]
    assert "1 failed, 1 of 3 jobs done in 30 s" in closing
    assert "Compress blocks 0 to 29" in closing
    assert closing.split()[-1] == str(log)
    assert closing.count("error: config.yaml: bits = 5: must be 4; correct it.") == 1
    assert "another line" not in closing
    before = len(capture.file.getvalue())
    screen.end()
    assert len(capture.file.getvalue()) == before


def test_a_run_without_failures_says_how_long_it_took(run):
    run.finish(2, NOW)
    assert shown(summary(run, NOW)).startswith("2 of 3 jobs done in 30 s")


def test_a_run_that_was_refused_says_nothing_of_jobs():
    capture = NoCapture()
    screen = Screen(Run(STAGES), capture=capture)
    screen.begin()
    screen.passing("error: the disk has no room")
    screen.end()
    text = plain(capture.file.getvalue())
    assert "error: the disk has no room" in text
    assert "done" not in text


def test_what_jobs_write_is_shown_once_and_progress_not_at_all(run):
    capture = NoCapture()
    screen = Screen(run, colours=False, capture=capture)
    screen.begin()
    for line in ("12:00:10 84 of 210 modules", "UserWarning: odd", "", "UserWarning: odd", "x"):
        screen.passing(line)
    screen.end()
    text = capture.file.getvalue()
    assert text.count("UserWarning: odd\n") == 1
    assert text.count("x\n") == 1
    assert not re.search(r"^12:00:10", text, re.M)


def test_logs_that_are_not_there_or_empty_say_nothing(tmp_path):
    empty = tmp_path / "empty.log"
    empty.touch()
    assert last_line((tmp_path / "none.log", empty)) == ""
    assert why((empty,), "it left no message") == "it left no message"
    long = tmp_path / "long.log"
    long.write_text("x\n" * 100_000 + "Traceback\nValueError: no\n")
    assert why((long,), "") == "ValueError: no"
    assert [lasting(seconds) for seconds in (9.96, 59.6, 61, 3599.7)] == [
        "10 s",
        "1 min 0 s",
        "1 min 1 s",
        "1 h 0 min",
    ]


CAPTURING = """
import os, subprocess, sys
from goodhart_gap.operations.capture import Capture
lines = []
capture = Capture(lines.append)
terminal = capture.start()
print("from python")
subprocess.run("echo from a child; printf '10%%\\\\r20%%\\\\n' >&2", shell=True)
print("to stderr", file=sys.stderr)
os.write(1, b"no newline at the end")
terminal.write("past the pipe\\n"); terminal.flush()
lingering = subprocess.Popen(["sleep", "20"])
capture.stop(); capture.stop()
lingering.kill()
print("after", lines)
"""


def test_everything_written_to_the_terminal_is_captured_and_given_back():
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", CAPTURING], stdout=theirs, stderr=theirs)
    os.close(theirs)
    got = b""
    try:
        while part := os.read(ours, 4096):
            got += part
    except OSError:
        pass  # The other end has been closed.
    assert process.wait() == 0, got
    passed, _, after = got.decode().partition("after ")
    assert passed.split() == ["past", "the", "pipe"]
    assert ast.literal_eval(after) == [
        "from python",
        "from a child",
        "10%",
        "20%",
        "to stderr",
        "no newline at the end",
    ]


def test_what_is_written_right_before_the_end_is_captured(monkeypatch):
    """The reader has just seen an empty pipe when a line comes and the end is announced."""
    lines: list[str] = []
    capturing = capture.Capture(lines.append)
    capturing._pipe, entrance = os.pipe()

    def looked(*files):
        if not capturing._stopping.is_set():
            os.write(entrance, b"the last line\n")
            capturing._stopping.set()
            return [], [], []
        return select.select(*files)

    monkeypatch.setattr(capture, "select", SimpleNamespace(select=looked))
    capturing._read()
    os.close(entrance)
    os.close(capturing._pipe)
    assert lines == ["the last line"]
