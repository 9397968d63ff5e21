"""The logger plugin: Snakemake's own tests of loggers, and what becomes of its records."""

import atexit
import logging
import os
import uuid
from pathlib import Path

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry
from snakemake_interface_logger_plugins.tests import MockOutputSettings, TestLogHandlerBase

from goodhart_gap.operations import screen
from snakemake_logger_plugin_goodhart import LogHandler
from tests.unit.operations.test_screen import NoCapture, plain


class TestWithoutTerminal(TestLogHandlerBase):
    """Piped: Snakemake prints by itself."""

    __test__ = True

    def get_log_handler_cls(self):
        return LogHandler

    def get_log_handler_settings(self):
        return None


class TestOnTerminal(TestWithoutTerminal):
    """The same on a terminal, where the plugin prints."""

    @pytest.fixture(autouse=True)
    def _terminal(self, terminal):
        pass


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> NoCapture:
    """A terminal; what is written to it."""
    capture = NoCapture()
    monkeypatch.setattr(screen, "Capture", lambda show: capture)
    monkeypatch.setattr(os, "isatty", lambda stream: True)
    monkeypatch.setenv("TERM", "xterm")
    # Handlers that a test leaves open have nothing to say when the tests end.
    monkeypatch.setattr(atexit, "register", lambda function: function)
    return capture


def record(event: LogEvent | None, msg: str = "", level: int = logging.INFO, **fields):
    made = logging.LogRecord("snakemake", level, "x.py", 1, msg, (), None)
    vars(made).update({"event": event} | fields)
    return made


def job_info(number: int, log: Path):
    return record(
        LogEvent.JOB_INFO,
        jobid=number,
        rule_name="compress",
        rule_msg=f"Compress part {number}",
        wildcards={},
        log=[str(log)],
    )


def test_snakemake_finds_the_plugin():
    assert "goodhart" in LoggerPluginRegistry().plugins


@pytest.mark.parametrize("reason", ["pipe", "dumb", "dryrun"])
def test_without_a_terminal_that_can_redraw_snakemake_prints(terminal, monkeypatch, reason):
    settings = MockOutputSettings()
    assert LogHandler(settings, None).writes_to_stream
    if reason == "pipe":
        monkeypatch.setattr(os, "isatty", lambda stream: False)
    elif reason == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    else:
        settings.dryrun = True
    assert not LogHandler(settings, None).writes_to_stream


def test_a_run_with_a_failure(terminal, tmp_path):
    log = tmp_path / "part.log"
    log.write_text("error: part 2: is broken; mend it.\n")
    handler = LogHandler(MockOutputSettings(), None)
    failed = {"jobid": 2, "rule_name": "compress", "log": [str(log)]}
    for each in (
        record(None, "Building DAG of jobs..."),
        record(LogEvent.WORKFLOW_STARTED, workflow_id=uuid.uuid4()),
        record(LogEvent.RUN_INFO, "Job stats: ...", stats={"compress": 2, "total": 2}),
        job_info(1, log),
        job_info(2, log),
        record(LogEvent.SHELLCMD, "Shell command: python x.py"),
        record(LogEvent.JOB_FINISHED, job_id=1),
        record(LogEvent.PROGRESS, "None", done=1, total=2),
        record(None, "a warning", logging.WARNING),
        record(None, "a warning", logging.WARNING),
        record(LogEvent.ERROR, "RuleException:\nCalledProcessError in file x", logging.ERROR),
        record(LogEvent.JOB_ERROR, "Error in rule compress", logging.ERROR, **failed),
        record(None, "Exiting because a job execution failed. Look above.", logging.ERROR),
        record(None, "Complete log(s): here.log"),
        record(LogEvent.ERROR, "WorkflowError:\nsomething else", logging.ERROR),
        record(LogEvent.ERROR, "WorkflowError:\nAt least one job did not ...", logging.ERROR),
    ):
        handler.emit(each)
    handler.close()
    text = plain(terminal.file.getvalue())
    assert "done   Compress part 1" in text
    assert text.count("a warning\n") == 1
    for noise in ("Building DAG", "Job stats", "CalledProcessError", "Exiting", "At least one"):
        assert noise not in text
    closing = text[text.index("Complete log(s): here.log") :]
    assert closing.index("something else") < closing.index("1 failed, 1 of 2 jobs done")
    assert closing.endswith(f"Compress part 2\n  error: part 2: is broken; mend it.\n  {log}\n")


def test_nothing_to_be_done_is_said(terminal, monkeypatch):
    said = []
    monkeypatch.setattr(screen.Screen, "say", lambda self, text, style="": said.append(text))
    handler = LogHandler(MockOutputSettings(), None)
    handler.emit(record(None, "Nothing to be done (all requested files are present)."))
    handler.close()
    assert said == ["Nothing to be done (all requested files are present)."]
    assert terminal.file.getvalue() == ""
