"""A folder of its own in which the real workflow runs on a tiny random model."""

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "rules", "scripts", "config", "profiles", "src", "environment.yaml")

# What Python and numba write beside the sources while other tests run is gone in a moment.
UNFINISHED = shutil.ignore_patterns("*.pyc.*", "*.tmp.*")

TINY: dict[str, Any] = {
    "build": ["tiny-n40"],
    "models": {
        "tiny": {
            "source": "file:checkpoint",
            "blocks": 4,
            "blocks_per_shard": 2,
            "calibration": {"sequences": 8, "sequence_length": 64},
        }
    },
    "conditions": {
        "uniform": {"compress": {"bits": 4, "group_size": 16, "rank": 4}},
        "selective": {
            "compress": {"bits": 4, "group_size": 16, "rank": 4},
            "protect": {"last": 1},
        },
    },
    "experiments": {
        "tiny-n40": {
            "source": "live",
            "model": "tiny",
            "tasks": "original-20",
            "conditions": ["baseline", "uniform", "selective"],
            "baseline": "baseline",
            "runs": 2,
            "runs_per_job": 1,
            "sampling": {"max_new_tokens": 16},
        }
    },
}


class Workshop:
    """A copy of the workflow's declared parts, with a tiny model and a configuration to change."""

    def __init__(self, folder: Path, checkpoint: Path) -> None:
        self.folder = folder
        self.config = self.tiny_config()
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=UNFINISHED)
            else:
                shutil.copy2(source, folder / part)
        (folder / "checkpoint").symlink_to(checkpoint)

    @staticmethod
    def tiny_config() -> dict[str, Any]:
        """Return a fresh copy of the tiny configuration."""
        return copy.deepcopy(TINY)

    @classmethod
    def at(cls, folder: Path) -> "Workshop":
        """Return the workshop that lies in `folder` already."""
        workshop = cls.__new__(cls)
        workshop.folder, workshop.config = folder, cls.tiny_config()
        return workshop

    def copied_to(self, folder: Path) -> "Workshop":
        """Return a copy, with whatever has run in it, in which jobs may run."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Workshop.at(folder)

    @property
    def experiment(self) -> dict[str, Any]:
        """The configuration of the tiny experiment."""
        return self.config["experiments"]["tiny-n40"]

    @property
    def results(self) -> Path:
        """The experiment's results."""
        return self.folder / "results/tiny-n40"

    def command(self, *arguments: str) -> list[str]:
        """Write the configuration and return the command line of snakemake."""
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(self.config), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "tiny.yaml"]
        return [*command, *arguments]

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run snakemake and return its exit status and output, both streams together."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def run(self, *arguments: str) -> str:
        """Run snakemake and return its output; fail with it if it fails."""
        finished = self.snakemake(*arguments)
        assert finished.returncode == 0, finished.stdout
        return finished.stdout

    def planned(self, *arguments: str) -> dict[str, int]:
        """Return the jobs a dry run lists, by rule."""
        output = self.run("--dry-run", *arguments)
        table = re.search(r"Job stats:\njob +count\n[- ]+\n(.*?)\ntotal ", output, flags=re.DOTALL)
        if table is None:
            assert "Nothing to be done" in output, output
            return {}
        rows = (line.split() for line in table[1].splitlines())
        return {rule: int(count) for rule, count in rows if rule != "all"}

    def jobs(self, options: list[str] | None = None) -> list[tuple[str, dict[str, str]]]:
        """Return the rule and the wildcards of every job that would run.

        `options` are Snakemake's; by default they name the workshop's own configuration.
        """
        if options is None:
            options = self.command()[self.command().index("--configfile") :]
        described = subprocess.run(
            [sys.executable, "scripts/graph.py", "describe", "graph.json", *options],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert described.returncode == 0, described.stderr
        jobs = json.loads((self.folder / "graph.json").read_text(encoding="utf-8"))["jobs"]
        return [(job["rule"], job["wildcards"]) for job in jobs if job["runs"]]
