"""The graph of the 72B experiment on a thin model of 80 blocks, through S3 and Slurm, with faults.

Two shards of 40 blocks each, a few minutes (`make test-long`); `make rehearsal` runs the same with
the shards of the real configuration, and twice on the cluster.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.rehearsal import (
    CONFIGFILE,
    EXPERIMENT,
    WIDTH,
    Rehearsal,
    RehearsalWorkshop,
    check,
    rehearsal_config,
)
from tests.integration.workshop import ROOT
from tests.servers.seaweed import BUCKET, SeaweedFS
from tests.servers.slurm import Slurm, why_not
from tests.tiny_models import write_tiny_checkpoint

pytestmark = pytest.mark.workflow

BLOCKS_PER_SHARD = 40
REQUESTS_PER_OBJECT = 2


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    with SeaweedFS(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model with the 72B's 80 blocks."""
    folder = tmp_path_factory.mktemp("thin")
    return write_tiny_checkpoint(folder, "qwen2", blocks=80, hidden=WIDTH)


@pytest.mark.long
def test_faults_in_every_stage_change_nothing(tmp_path: Path, thin: Path, s3: SeaweedFS) -> None:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    alone = rehearsal_config(BLOCKS_PER_SHARD, None, on_cluster=False)
    here = RehearsalWorkshop(tmp_path / "here", thin, alone)
    here.run()
    config = rehearsal_config(BLOCKS_PER_SHARD, f"s3://{BUCKET}/disturbed")
    workshop = RehearsalWorkshop(tmp_path / "there", thin, config)
    with Slurm(tmp_path / "slurm") as slurm:
        rehearsal = Rehearsal(workshop, slurm, s3, seed=7, cut_s=5)
        rehearsal.disturbed()
        check(here.outcome(), rehearsal)


@pytest.mark.parametrize("name", [path.name for path in sorted(ROOT.glob("config/*-n?00.yaml"))])
def test_large_experiments_are_complete(tmp_path: Path, thin: Path, name: str) -> None:
    workshop = RehearsalWorkshop(tmp_path / "w", thin, {"operations": {"preflight": False}})
    command = workshop.command("--dry-run", "--quiet", "rules")
    command[command.index(CONFIGFILE)] = f"config/{name}"
    done = subprocess.run(command, cwd=workshop.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "compress_shard" in done.stdout + done.stderr


def test_a_dry_run_asks_s3_twice_an_object_at_most(
    tmp_path: Path, thin: Path, s3: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in s3.environment().items():
        monkeypatch.setenv(variable, value)
    config = {"storage": {"prefix": f"s3://{BUCKET}/dry", "hessians": True}}
    workshop = RehearsalWorkshop(tmp_path / "w", thin, config)
    s3.proxy.forget()
    planned = workshop.planned()
    large = 41 + 40 + 40 + 2 * 40  # base shards, Hessians, activations, compressed shards
    assert planned["compress_shard"] == 80
    assert 0 < s3.proxy.count() <= REQUESTS_PER_OBJECT * large


def test_scratch_disk_of_a_compress_job_is_as_planned(
    tmp_path: Path, s3: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shard of two blocks, each matrix a 32nd of the 72B's in both directions."""
    for variable, value in s3.environment().items():
        monkeypatch.setenv(variable, value)
    model = write_tiny_checkpoint(tmp_path / "model", "qwen2", blocks=2, hidden=256)
    config = rehearsal_config(2, f"s3://{BUCKET}/scratch", on_cluster=False)
    config["models"]["qwen2-72b"] |= {
        "blocks": 2,
        "sizes": {
            "hidden": 256,
            "intermediate": 512,
            "queries": 256,
            "keys": 128,
            "vocabulary": 400,
        },
    }
    config["conditions"] = {}
    config["experiments"][EXPERIMENT]["conditions"] = ["baseline", "large-4bit"]
    workshop = RehearsalWorkshop(tmp_path / "w", model, config)
    workshop.run("--until", "accumulate_hessians", "accumulate_passing_hessians", "allocate")
    plan = tmp_path / "plan.json"
    command = [sys.executable, "-m", "goodhart_gap.cli", "plan", "--json", str(plan), "--"]
    options = ["--configfile", CONFIGFILE, "tiny.yaml"]
    subprocess.run([*command, *options], cwd=workshop.folder, check=True, capture_output=True)
    jobs = json.loads(plan.read_text())["jobs"]
    (predicted,) = [job["scratch_bytes"] for job in jobs if job["rule"] == "compress_shard"]
    with PeakOf(workshop.folder) as peak:
        workshop.run("--until", "compress_shard", "--cores", "1")
    print(f"scratch disk: predicted {predicted:.0f} bytes, measured {peak.bytes}")
    assert peak.bytes == pytest.approx(predicted, rel=0.2)


class PeakOf:
    """The most bytes that safetensors files below a folder took, looked at every few ms."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.bytes = 0

    def __enter__(self) -> "PeakOf":
        self._thread.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.005):
            total = 0
            for path in self._folder.glob("results/models/**/*blocks*.safetensors"):
                try:
                    total += path.stat().st_size
                except FileNotFoundError:
                    continue
            self.bytes = max(self.bytes, total)
