"""The graph of jobs as data, read from Snakemake by `scripts/graph.py` in a process of its own."""

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.code_digest import SCRIPTS

_NOISE = ("Using ", "Building DAG", "host:", "Assuming ")
"""Starts of the lines that Snakemake prints whatever happens."""

_ENDS_A_COMMAND = frozenset({">", ">>", "2>", "2>&1", "|", "&&", "||", ";"})


class GraphOutput(BaseModel):
    """One output of a job."""

    model_config = ConfigDict(frozen=True)

    path: str
    temporary: bool
    remote: bool
    """Whether it lives in a storage (S3) and not on this disk."""


class GraphJob(BaseModel):
    """One job of the graph."""

    model_config = ConfigDict(frozen=True)

    id: int
    rule: str
    wildcards: dict[str, str]
    inputs: list[str]
    stored: list[str] = []
    """Inputs that live in a storage (S3)."""
    ancient: list[str] = []
    """Inputs that must exist but whose changes the rule ignores on purpose."""
    outputs: list[GraphOutput]
    params: dict[str, Any]
    command: str | None
    """Shell command, all placeholders filled in."""
    threads: int
    resources: dict[str, Any]
    needs: list[int]
    """Jobs whose outputs are inputs of this one."""
    runs: bool
    """Whether Snakemake would run it now."""
    copies_here: bool = True
    """Whether local copies of its files in a storage lie on this machine, or on a shared disk."""
    reason: str
    benchmark: str | None

    def script(self) -> tuple[Path, list[str]] | None:
        """Return the Python script of the shell command and its arguments, or None."""
        words = shlex.split(self.command or "")
        for place, word in enumerate(words):
            if word.endswith(".py"):
                rest = words[place + 1 :]
                ends = [n for n, item in enumerate(rest) if item in _ENDS_A_COMMAND]
                return Path(word), rest[: ends[0]] if ends else rest
        return None


class Graph(BaseModel):
    """Every job of the workflow for the targets asked for."""

    jobs: list[GraphJob]
    config: dict[str, Any] = Field(default_factory=dict)
    limits: list[str] = []
    """Resources of which Snakemake was told how many there are (`--resources`)."""

    @property
    def results(self) -> str:
        """The folder that the workflow's results go to."""
        return str(self.config.get("pathvars", {}).get("results", "results"))

    def in_order(self) -> Iterator[GraphJob]:
        """Yield jobs after all they need."""
        jobs = {job.id: job for job in self.jobs}
        done: set[int] = set()
        for first in jobs:
            stack = [first]
            while stack:
                number = stack[-1]
                waiting = [n for n in jobs[number].needs if n in jobs and n not in done]
                if waiting and number not in done:
                    stack.extend(waiting)
                    continue
                stack.pop()
                if number not in done:
                    done.add(number)
                    yield jobs[number]


def read_graph(options: Sequence[str]) -> Graph:
    """Return the graph that `snakemake OPTIONS` would build.

    Raises GoodhartError, with Snakemake's own words, if it cannot be built.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.json")
        _run_adapter("describe", path, options)
        return Graph.model_validate_json(path.read_bytes())


def record_decisions(
    adopt: dict[str, tuple[float, float]], stale: dict[str, str], options: Sequence[str]
) -> None:
    """Write Snakemake's metadata: `adopt` by output (start, end in s since 1970), `stale` (why)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "decisions.json")
        path.write_text(json.dumps({"adopt": adopt, "stale": stale}))
        _run_adapter("record", path, options)


def _run_adapter(verb: str, path: Path, options: Sequence[str]) -> None:
    command = [sys.executable, str(SCRIPTS / "graph.py"), verb, str(path), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        told = (result.stderr or result.stdout).splitlines()
        text = " ".join(" ".join(line for line in told if not line.startswith(_NOISE)).split())
        raise GoodhartError(f"snakemake {shlex.join(options)}: no graph: {text or 'no message'}")
