"""A workshop whose jobs go to a real Slurm, and the means to disturb them at a chosen moment."""

import os
import re
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path

from tests.integration.workshop import ROOT, Workshop
from tests.servers.slurm import Slurm

GATE = """\
import pathlib as _pathlib, sys as _sys, time as _time
try:
    _hold = _pathlib.Path("hold-{script}")
    if _hold.read_text() in " ".join(_sys.argv):
        _hold.rename("held-{script}")
        while _pathlib.Path("held-{script}").exists():
            _time.sleep(0.1)
except FileNotFoundError:
    pass
"""
"""Put before a script: the first fitting run after `hold` stands still until `release`."""

SLURM_OPTIONS = (
    "--workflow-profile",
    "profiles/slurm",
    "--slurm-status-command",
    "squeue",
    "--latency-wait",
    "10",
)


class ClusterRun:
    """One snakemake of a workshop, in the background, with its jobs on Slurm."""

    def __init__(
        self,
        workshop: Workshop,
        slurm: Slurm,
        environment: dict[str, str],
        configfile: str | None = None,
    ) -> None:
        self.workshop = workshop
        self.slurm = slurm
        self.environment = os.environ | environment | slurm.environment
        self.log = workshop.folder / "snakemake.log"
        self.patience_s = 900.0  # a loaded machine is no bug
        self.configfiles = [configfile, "tiny.yaml"] if configfile else ["tiny.yaml"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start snakemake."""
        self.workshop.command()  # writes the configuration
        program = [sys.executable, str(ROOT / "tests/servers/impatient.py")]
        options = [*SLURM_OPTIONS, "--configfile", *self.configfiles, *arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*program, *options],
                cwd=self.workshop.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def finish(self, seconds: float = 1800) -> None:
        """Wait for its end; fail with its log if it fails."""
        assert self._process is not None
        try:
            code = self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"no end after {seconds} s\n{self.told()}") from None
        assert code == 0, self.told()

    def kill(self) -> None:
        """End snakemake without a warning; its jobs stay in the queue."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def unlock(self) -> None:
        """Remove the lock that a killed snakemake left."""
        subprocess.run(
            self.workshop.command("--unlock"),
            cwd=self.workshop.folder,
            env=self.environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def unseen(self) -> set[str]:
        """Return the numbers of the Slurm jobs whose end snakemake had not seen when it ended."""
        log = self.log.read_text(errors="replace")
        given = re.findall(r"^Job (\d+) has been submitted with SLURM jobid (\d+)", log, re.M)
        seen = set(re.findall(r"^Finished jobid: (\d+) ", log, re.M))
        return {number for job, number in given if job not in seen}

    def untrusted(self) -> set[str]:
        """Return the files of those jobs: there or not, the next snakemake makes them again."""
        folder = self.workshop.folder / ".snakemake/incomplete"
        names = (
            "".join(part.removeprefix("@") for part in path.relative_to(folder).parts)
            for path in folder.rglob("*")
            if path.is_file()
        )
        return {urlsafe_b64decode(name).decode() for name in names}

    def told(self) -> str:
        """Return the end of what snakemake printed."""
        return self.log.read_text(errors="replace")[-6000:]

    def gate(self, *scripts: str) -> None:
        """Make scripts of the workshop stand still where they are held."""
        for script in scripts:
            path = self.workshop.folder / "scripts" / f"{script}.py"
            path.write_text(GATE.format(script=script) + path.read_text())

    def hold(self, script: str, word: str = "") -> None:
        """Let the next run of a gated script stand still whose command line holds `word`."""
        (self.workshop.folder / f"hold-{script}").write_text(word)

    def wait_until_held(self, script: str) -> None:
        """Wait until a job stands still."""
        self.wait_until((self.workshop.folder / f"held-{script}").exists, f"held {script}")

    def release(self, script: str) -> None:
        """Let it go on."""
        (self.workshop.folder / f"held-{script}").unlink(missing_ok=True)

    def job_of(self, rule: str, word: str = "") -> str:
        """Return the number of the running Slurm job of a rule, one with `word`."""
        numbers = [
            number
            for number, comment in self.slurm.jobs().items()
            if comment.startswith(f"rule_{rule}") and word in comment
        ]
        return numbers[0]

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition while snakemake runs."""
        deadline = time.monotonic() + self.patience_s
        while not condition():
            assert self._process is not None
            assert self._process.poll() is None, f"ended before {what}\n{self.told()}"
            assert time.monotonic() < deadline, f"no {what}\n{self.told()}\n{self.slurm.logs()}"
            time.sleep(0.1)


def products(folder: Path) -> dict[str, int]:
    """Return the finished files below `folder` with their modification times."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and ".prov." not in path.name
    }
