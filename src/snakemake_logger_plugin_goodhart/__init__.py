"""Snakemake's logger plugin `goodhart`: the run as a live view, where there is a terminal.

    snakemake --logger goodhart      # profiles/default says so already

Snakemake finds its plugins by the name of their package. Elsewhere (a pipe, a dry run, a terminal
that cannot move its cursor) the plugin does nothing, and Snakemake prints what it always prints.
The view itself is `goodhart_gap.operations.screen`.
"""

import atexit
import logging
import os
import re
import time
from logging import LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

NOISE = re.compile(
    r"host: |Building DAG|Assuming unrestricted|Using shell|Provided |Rules claiming|"
    r"Config file .* is extended|Select jobs|Execute \d|Trying to restart|Elapsed time|"
    r"Conda environments: ignored|Singularity containers: ignored|None$|$"
)
"""Starts of messages that the view makes superfluous."""

REPEATED = re.compile(r".*(CalledProcessError|At least one job did not|Exiting because)", re.DOTALL)
"""Errors that say of a failed job what the view says of it, at length."""


class LogHandler(LogHandlerBase):
    """Turns Snakemake's records into a view on the terminal."""

    def __post_init__(self) -> None:
        stream = 1 if self.common_settings.stdout else 2
        moves = os.isatty(stream) and os.environ.get("TERM") != "dumb"
        self.active = moves and not self.common_settings.dryrun
        if not self.active:
            return
        from goodhart_gap.operations.progress import Run
        from goodhart_gap.operations.screen import Screen

        self.run = Run()
        self.screen = Screen(self.run, colours=not self.common_settings.nocolor)
        atexit.register(self.close)

    def emit(self, record: LogRecord) -> None:
        """Show a record; one that cannot be shown is reported, and the run goes on."""
        if self.active:
            try:
                self._show(record)
            except Exception:
                self.handleError(record)

    def _show(self, record: LogRecord) -> None:
        from goodhart_gap.operations.screen import job_of, why

        event, now, fields = getattr(record, "event", None), time.monotonic(), vars(record)
        if event == LogEvent.RUN_INFO:
            self.run.plan(fields["stats"])
            self.screen.begin()
        elif event == LogEvent.JOB_INFO:
            self.run.start(job_of(record, now))
        elif event == LogEvent.JOB_FINISHED:
            job = self.run.finish(fields["job_id"], now)
            if job is not None and self.run.is_work(job.rule):
                self.screen.finished(job, now)
        elif event == LogEvent.JOB_ERROR:
            job = self.run.fail(fields["jobid"], "")
            if job is not None:
                self.run.failures[job.number].reason = why(job.logs, "it left no message")
                self.screen.failed(job)
        elif event == LogEvent.SHELLCMD:
            self.screen.say(record.getMessage(), "dim")
        elif event in (None, LogEvent.ERROR):
            self._tell(record)
        elif event in (LogEvent.GROUP_INFO, LogEvent.GROUP_ERROR, LogEvent.DEBUG_DAG):
            self.screen.say(self.format(record))

    def _tell(self, record: LogRecord) -> None:
        """Show a record that is only text."""
        text = record.getMessage().strip()
        if record.levelno >= logging.ERROR:
            self.screen.say_last(text, "red", repeated=bool(REPEATED.match(text)))
        elif record.levelno >= logging.WARNING:
            self.screen.say_once(text, "yellow")
        elif text.startswith("Complete log"):
            self.screen.say_last(text, "dim")
        elif not NOISE.match(text):
            self.screen.say_once(text)

    def close(self) -> None:
        """Take the view down and print what failed."""
        if self.active:
            self.screen.end()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """Whether Snakemake need not print by itself."""
        return self.active

    @property
    def writes_to_file(self) -> bool:
        """Snakemake's own log is written in any case."""
        return False

    @property
    def has_filter(self) -> bool:
        """Snakemake's own filter knows `--quiet` and `--printshellcmds`."""
        return False

    @property
    def has_formatter(self) -> bool:
        """Snakemake's own formatter serves the rarer events."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        """The view shows stages, not rules."""
        return False
