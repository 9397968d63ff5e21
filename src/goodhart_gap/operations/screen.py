"""A run on a terminal: what is done, what runs now and how far it is, how long the rest will take.

Finished jobs scroll by, a line each. Below them stands a view that redraws itself: stages, jobs
that run with the last line of their logs (rate and time left of long ones), the whole. Warnings are
printed once. What failed is printed last, in one sentence each, with the path of its log.
"""

import re
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from goodhart_gap.operations.capture import Capture
from goodhart_gap.operations.progress import Job, Run

REFRESHES_PER_S = 2
BAR_COLUMNS = 24
JOBS_SHOWN = 8
TAIL_BYTES = 4096
SHORT_S = 10
"""Less than this is not predicted to the second."""

_STAMPED = re.compile(r"\d\d:\d\d:\d\d (.+)")
"""A line of a script's log, which has the time in front."""

_LEFT = re.compile(r"(\d+) s left")
"""How long a job says that it will still take."""


class Screen:
    """The view of one run. Records of Snakemake become calls of its methods."""

    def __init__(self, run: Run, colours: bool = True, capture: Capture | None = None) -> None:
        self.run = run
        self._colours = colours
        self._capture = capture or Capture(self.passing)
        self._console = self._console_on(None)
        self._live: Live | None = None
        self._said: deque[str] = deque(maxlen=1000)
        self._closing: list[tuple[Text, bool]] = []

    def _console_on(self, file: IO[str] | None) -> Console:
        return Console(
            file=file,
            stderr=file is None,
            highlight=False,
            no_color=not self._colours,
            force_terminal=True,
            soft_wrap=False,
        )

    def begin(self) -> None:
        """Put up the view."""
        if self._live is not None:
            return
        self._console = self._console_on(self._capture.start())
        self._live = Live(
            get_renderable=self.view,
            console=self._console,
            refresh_per_second=REFRESHES_PER_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def end(self) -> None:
        """Take the view down, then print what failed. Safe to call twice."""
        began = self._live is not None
        if self._live is not None:
            self._capture.stop()
            self._live.stop()
            self._live = None
        closing, self._closing = self._closing, []
        for text, repeated in closing:
            if not (repeated and self.run.failures):
                self._console.print(text, soft_wrap=True)
        if began and self.run.started is not None:
            self._console.print()
            self._console.print(summary(self.run, time.monotonic()), soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        """Print a line."""
        self._console.print(Text(text, style), soft_wrap=True)

    def say_once(self, text: str, style: str = "") -> None:
        """Print a line that has not been printed yet."""
        if text not in self._said:
            self._said.append(text)
            self.say(text, style)

    def say_last(self, text: str, style: str = "", repeated: bool = False) -> None:
        """Print a line when the view is down; not one that is `repeated` by the summary."""
        self._closing.append((Text(text, style), repeated))

    def passing(self, line: str) -> None:
        """Print a line that a job wrote; its progress stands in its log, and in the view."""
        line = line.rstrip()
        if line and not _STAMPED.match(line):
            style = "red" if line.startswith("error: ") else ""
            self.say_once(line, "yellow" if "warning" in line.lower() else style)

    def finished(self, job: Job, now: float) -> None:
        """Print the line of a finished job."""
        self._console.print(
            Text.assemble(
                ("done   ", "green"), job.text, (f"  {lasting(now - job.started)}", "dim")
            )
        )

    def failed(self, job: Job) -> None:
        """Print the line of a failed job."""
        self._console.print(Text.assemble(("failed ", "bold red"), job.text))

    def view(self) -> RenderableType:
        """Return the view of this moment."""
        now = time.monotonic()
        with self.run.lock:
            lines = {number: last_line(job.logs) for number, job in self.run.running.items()}
            return Group(
                "", _stages(self.run), _jobs(self.run, now, lines), _whole(self.run, now, lines)
            )


def _stages(run: Run) -> Table:
    table = Table.grid(padding=(0, 1))
    for stage, done, count in run.stages():
        bar = ProgressBar(
            total=count,
            completed=done,
            width=BAR_COLUMNS,
            complete_style="cyan",
            finished_style="green",
        )
        style = "dim" if done == count else ""
        table.add_row(Text(stage, style), bar, Text(f"{done}/{count}", style))
    return table


def _jobs(run: Run, now: float, lines: Mapping[int, str]) -> Group:
    """What each running job does and for how long, and below it the last line of its log."""
    jobs = list(run.running.values())
    texts = []
    for job in jobs[:JOBS_SHOWN]:
        texts.append(Text.assemble(job.text, (f"  {lasting(now - job.started)}", "dim")))
        if lines[job.number]:
            texts.append(Text(f"  {lines[job.number]}", "cyan"))
    if len(jobs) > JOBS_SHOWN:
        texts.append(Text(f"and {len(jobs) - JOBS_SHOWN} more", "dim"))
    for text in texts:
        text.no_wrap, text.overflow = True, "ellipsis"
    return Group(*texts)


def _whole(run: Run, now: float, lines: Mapping[int, str]) -> Text:
    text = Text.assemble((f"{run.jobs_done} of {run.jobs} jobs", "bold"))
    if run.failures:
        text.append(f", {len(run.failures)} failed", "bold red")
    if run.started is not None:
        text.append(f", {lasting(now - run.started)} so far")
    found = {number: _LEFT.search(line) for number, line in lines.items()}
    left = run.seconds_left(now, {n: float(match[1]) for n, match in found.items() if match})
    if left is not None:
        text.append(f", about {lasting(left)} left" if left >= SHORT_S else ", nearly done")
    return text


def summary(run: Run, now: float) -> RenderableType:
    """Return what is said when a run has ended."""
    took = lasting(now - (run.started or now))
    if not run.failures:
        return Text.assemble((f"{run.jobs_done} of {run.jobs} jobs done", "bold"), f" in {took}")
    lines = [
        Text.assemble(
            (f"{len(run.failures)} failed", "bold red"),
            f", {run.jobs_done} of {run.jobs} jobs done in {took}",
        )
    ]
    for failure in run.failures.values():
        lines.append(Text(failure.job.text, "bold"))
        lines.append(Text(f"  {failure.reason}", "red"))
        lines += [Text(f"  {log}", "cyan") for log in failure.job.logs]
    return Group(*lines)


def lasting(seconds: float) -> str:
    """Show a duration.

    >>> lasting(0.4), lasting(75), lasting(7320)
    ('0.4 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def last_line(logs: tuple[Path, ...]) -> str:
    """Return the last line of a job's log, without its time; blank where there is none."""
    lines = _tail(logs)
    if not lines:
        return ""
    stamped = _STAMPED.match(lines[-1])
    return stamped[1] if stamped else lines[-1]


def why(logs: tuple[Path, ...], otherwise: str) -> str:
    """Return the sentence in which a job's log says why it failed: its last error, or last line."""
    lines = _tail(logs)
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or [otherwise])[-1]


def _tail(logs: tuple[Path, ...]) -> list[str]:
    """Return the last lines of the first log that has any, blank ones left out."""
    for path in logs:
        try:
            with path.open("rb") as handle:
                handle.seek(max(0, path.stat().st_size - TAIL_BYTES))
                text = handle.read().decode("utf-8", "replace")
        except OSError:
            continue
        lines = [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
        if lines:
            return lines
    return []


def job_of(record: Any, now: float) -> Job:
    """Return the job that a record of Snakemake announces."""
    wildcards = " ".join(map(str, (record.wildcards or {}).values()))
    text = record.rule_msg or f"{record.rule_name} {wildcards}".strip()
    return Job(record.jobid, record.rule_name, text, tuple(map(Path, record.log or ())), now)
