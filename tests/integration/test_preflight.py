"""Runs that would fail after hours are refused in seconds, and nothing of them has started.

On real file systems (a disk of 1 GB and a container's overlay are mounted where root may), a real
S3 server, and the real graph of the 72B experiment.
"""

import importlib.util
import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from goodhart_gap.operations.memory import memory
from tests.integration import mounts
from tests.integration.workshop import Workshop
from tests.servers.seaweed import BUCKET, SeaweedFS

pytestmark = pytest.mark.workflow


@pytest.fixture
def mounted() -> Iterator[ExitStack]:
    """What is mounted until the test ends."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def small_disk(tmp_path: Path, mounted: ExitStack) -> Path:
    return enter(mounted, mounts.small_disk(tmp_path / "disk"))


@pytest.fixture
def overlay(tmp_path: Path, mounted: ExitStack) -> Path:
    return enter(mounted, mounts.container_layer(tmp_path / "container"))


def enter(mounted: ExitStack, mount: AbstractContextManager[Path]) -> Path:
    """Mount a file system; skip where that is not allowed."""
    try:
        return mounted.enter_context(mount)
    except OSError as error:
        pytest.skip(str(error))


def refused(workshop: Workshop, configfile: str, *options: str, **variables: str) -> str:
    """Run snakemake on a config file of the workshop; return its output, which must be a no."""
    command = workshop.command(*options)
    command[command.index("tiny.yaml")] = configfile
    done = subprocess.run(
        command,
        cwd=workshop.folder,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


@pytest.fixture
def no_gpus(tmp_path: Path) -> str:
    """A search path on which nvidia-smi finds none, whatever this machine has."""
    program = tmp_path / "programs/nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def test_the_72b_on_a_laptop(
    workshop: Workshop, small_disk: Path, overlay: Path, no_gpus: str
) -> None:
    said = refused(
        workshop,
        "config/qwen2-72b-n100.yaml",
        "--config",
        f"pathvars={{results: {small_disk}/results}}",
        HF_HOME=str(overlay / "cache"),
        HF_ENDPOINT="http://127.0.0.1:9",
        PATH=no_gpus,
    )
    refusals = [line for line in said.splitlines() if line.startswith("error: ")]
    for part in (
        "results will receive up to 9",
        "but 1.1 GB are free",
        "the Hugging Face cache lies on the container's own layer (overlay",
        "GPU: sample_responses needs 2, and nvidia-smi finds none here",
        "hf:Qwen/Qwen2-72B-Instruct@c867f763ef53: the Hugging Face hub cannot",
        "data set hf:allenai/c4@1588ec454efa: the Hugging Face hub cannot",
        "gpu: jobs would start on the same GPUs at once; add --resources gpu=N",
    ):
        assert any(part in line for line in refusals), said
    assert memory().total_bytes > 47e9 or any("memory: compress_shard" in x for x in refusals)
    installed = importlib.util.find_spec("datasets") is not None
    assert installed != any("`datasets` library" in line for line in refusals)
    assert list(small_disk.iterdir()) == []
    assert not (workshop.folder / "logs").exists()


def test_gpus_that_jobs_wait_for_are_not_refused(workshop: Workshop, no_gpus: str) -> None:
    said = refused(
        workshop,
        "config/qwen2-72b-n100.yaml",
        "--resources",
        "gpu=2",
        HF_ENDPOINT="http://127.0.0.1:9",
        PATH=no_gpus,
    )
    assert "GPU: sample_responses needs 2, and nvidia-smi finds none here" in said
    assert "jobs would start on the same GPUs at once" not in said


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    with SeaweedFS(tmp_path_factory.mktemp("s3")) as server:
        yield server


def test_s3_is_tried_for_real(workshop: Workshop, s3: SeaweedFS) -> None:
    workshop.config["storage"] = {"prefix": "s3://nowhere", "patience_s": 0}
    said = refused(workshop, "tiny.yaml", **s3.environment())
    assert "there is no bucket nowhere; create it, or correct storage.prefix" in said

    workshop.config["storage"] = {"prefix": f"s3://{BUCKET}/x", "patience_s": 0}
    wrong = s3.environment() | {"AWS_SECRET_ACCESS_KEY": "not-the-secret-0123456789"}
    said = refused(workshop, "tiny.yaml", **wrong)
    assert "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in said
    assert "not-the-secret" not in said
    assert not (workshop.folder / "results").exists()


UNTIL_STOPPED = """\
import pathlib as _pathlib, time as _time
_lines = _pathlib.Path("logs/monitor.jsonl")
for _ in range(3000):
    if _lines.exists() and '"stopped"' in _lines.read_text():
        break
    _time.sleep(0.1)
"""
"""Put before a script: it goes on when the run has been asked to end."""


def test_near_a_limit_the_run_stops_cleanly_and_goes_on_later(workshop: Workshop) -> None:
    analysis = "results/published-n20/ANALYSIS.md"
    workshop.config["operations"] = {"every_s": 0.2, "least_disk_bytes": 1e18}
    script = workshop.folder / "scripts/aggregate.py"
    script.write_text(UNTIL_STOPPED + script.read_text())
    stopped = workshop.snakemake("--cores", "1", analysis)
    assert stopped.returncode != 0
    assert "error: results: the disk has" in stopped.stdout
    assert "less than operations.least_disk_bytes = 1000000000.00 GB" in stopped.stdout
    assert not (workshop.folder / analysis).exists()
    lines = (workshop.folder / "logs/monitor.jsonl").read_text()
    assert lines.count('"stopped"') == 1
    made = [path for path in workshop.folder.glob("results/**/*") if path.is_file()]
    assert made
    del workshop.config["operations"]
    stamps = {path: path.stat().st_mtime_ns for path in made}
    workshop.run("--cores", "2", analysis)
    assert {path: path.stat().st_mtime_ns for path in made} == stamps


ASKED_WHILE_SELECTING = """
    import signal
    select = workflow.scheduler._job_selector
    def asked(*about):
        os.kill(os.getpid(), signal.SIGTERM)
        return select(*about)
    workflow.scheduler._job_selector = asked
"""
"""Put at the end of `onstart`: the run is asked to end when Snakemake holds its lock."""


def test_a_run_that_is_asked_to_end_at_any_moment_ends(workshop: Workshop) -> None:
    rules = workshop.folder / "rules/operations.smk"
    rules.write_text(rules.read_text() + ASKED_WHILE_SELECTING)
    asked = subprocess.run(
        workshop.command("--", "results/tiny-n40/tasks.jsonl"),
        cwd=workshop.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert "Will exit after finishing currently running jobs" in asked.stdout, asked.stdout
    assert not list((workshop.folder / ".snakemake/locks").glob("*"))
