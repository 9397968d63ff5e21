"""The real workflow with its large files on a real S3 server, and what each fault does to it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from goodhart_gap.provenance.manifest import SUFFIX
from tests.integration.test_edits import SCORING, replace
from tests.integration.workshop import Workshop
from tests.servers.seaweed import BUCKET, KEY, SECRET, SeaweedFS

pytestmark = pytest.mark.workflow

LARGE = {
    *(f"models/tiny/base/{shard}" for shard in ("embeddings", "blocks000-001", "blocks002-003")),
    *(f"models/tiny/uniform/{shard}" for shard in ("blocks000-001", "blocks002-003")),
}
CHEAP = {"mirror"}
CANARY = "canary-wrong-secret"
RUBRIC = replace(
    "config/tasks/original-20.yaml", "name: subtract the coupon", "name: take off the coupon"
)


def stored_config(prefix: str, **storage: object) -> dict[str, Any]:
    """Return the tiny configuration, smaller still, its large files on S3."""
    config = Workshop.tiny_config()
    config["storage"] = {"prefix": prefix, "patience_s": 60} | storage
    config["models"]["tiny"]["calibration"]["keep_hessians"] = False
    config["experiments"]["tiny-n40"] |= {"conditions": ["baseline", "uniform"], "runs": 1}
    return config


@pytest.fixture(scope="session")
def stored_session(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Path, seaweed: SeaweedFS
) -> Workshop:
    """A workshop in which the whole workflow has run once, its large files on S3."""
    workshop = Workshop(tmp_path_factory.mktemp("stored") / "workshop", checkpoint)
    workshop.config = stored_config(f"{seaweed.prefix}/run", hessians=True)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in seaweed.environment().items():
            patch.setenv(name, value)
        workshop.run()
    return workshop


@pytest.fixture
def stored(stored_session: Workshop, s3: SeaweedFS) -> Workshop:
    """The same, the server up and counting from zero; tests must not run jobs in it."""
    return stored_session


@pytest.fixture
def cloned(
    stored: Workshop, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Workshop:
    """A fresh workshop pointed at the same prefix; the current folder."""
    clone = Workshop(tmp_path / "clone", checkpoint)
    clone.config = stored.config
    clone.command()
    monkeypatch.chdir(clone.folder)
    monkeypatch.setenv("PYTHONPATH", str(clone.folder / "src"))
    return clone


def goodhart_gap(workshop: Workshop, *words: str, status: int = 0) -> str:
    """Run the command line tool and return what it prints."""
    result = subprocess.run(
        [sys.executable, "-m", "goodhart_gap.cli", *words],
        cwd=workshop.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == status, result.stdout
    return result.stdout


def local_weights(workshop: Workshop) -> set[str]:
    """Names of the weights and Hessians on this disk, below the results."""
    results = workshop.folder / "results"
    return {
        path.relative_to(results).with_suffix("").as_posix()
        for path in results.rglob("*.safetensors")
    }


def test_large_files_lie_on_s3_and_the_others_are_copied(stored: Workshop, s3: SeaweedFS) -> None:
    objects = {name.removeprefix("run/") for name in s3.objects("run/")}
    assert {n.removesuffix(".safetensors") for n in objects if n.endswith(".safetensors")} == {
        *LARGE,
        "models/tiny/calibration/tokens",
    }
    assert local_weights(stored) == {"models/tiny/calibration/tokens"}
    results = stored.folder / "results"
    files = {path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()}
    assert {name for name in files - objects if not name.startswith("mirror/")} == set()
    assert {f"{name}.safetensors{SUFFIX}" for name in LARGE} < files & objects


def test_every_folder_that_a_run_makes_is_copied(
    checkpoint: Path, s3: SeaweedFS, tmp_path: Path
) -> None:
    workshop = Workshop(tmp_path / "workshop", checkpoint)
    workshop.config = stored_config(f"{s3.prefix}/folders")
    workshop.config["models"]["judge"] = workshop.config["models"]["tiny"]
    workshop.config["conditions"] |= {
        "reused": {"compress": {"bits": 4, "rank": 0}},
        "joined": {"reuse": "reused", "protect": {"last": 1}},
        "choice": {"compress": {"bits": 8, "rank": 0}},
        "budget": {"budget": {"bits_per_parameter": 20, "choices": ["choice", "base"]}},
        "other": {"import": {"source": "file:checkpoint"}},
    }
    workshop.config["experiments"]["tiny-n40"] |= {
        "conditions": ["baseline", "uniform", "joined", "budget", "other"],
        "grading": {"explanation": "judge", "judge": {"model": "judge"}},
    }
    jobs = workshop.jobs()
    copied = {Path(wildcards["folder"]) for rule, wildcards in jobs if rule == "mirror"}
    missed = [
        (rule, folder)
        for rule, wildcards in jobs
        for folder in folders_of_job(rule, wildcards)
        if not any(folder == each or each in folder.parents for each in copied)
    ]
    assert missed == []
    # A condition that others take their modules from is not assembled for that.
    assert ("assemble", {"model": "tiny", "condition": "reused"}) not in jobs


def folders_of_job(rule: str, wildcards: dict[str, str]) -> list[Path]:
    """Return the folders, below the results, that a job writes what lasts into."""
    model, condition = (wildcards.get(name, "") for name in ("model", "condition"))
    if rule in ("mirror", "all", "download_wheel"):
        return []
    if "experiment" in wildcards:
        return [Path(wildcards["experiment"])]
    place = Path("models", model)
    if condition:
        return [place / condition]
    if rule == "measure_sensitivity":
        return [place]
    stage = "calibration" if rule.startswith(("calibration", "accumulate")) else "base"
    return [place / stage]


def test_storage_changes_no_result(stored: Workshop, finished: Workshop) -> None:
    for condition in ("baseline", "uniform"):
        name = f"responses/{condition}/seed42/runs0-0.jsonl"
        assert (stored.results / name).read_bytes() == (finished.results / name).read_bytes()


def test_neither_address_nor_credentials_of_the_server_are_in_any_file(
    stored: Workshop, s3: SeaweedFS
) -> None:
    assert secrets_in(stored.folder, s3) == []


def secrets_in(folder: Path, server: SeaweedFS) -> list[tuple[Path, str]]:
    """Return every file below `folder` that holds what leads to the server, and what."""
    secrets = [KEY, SECRET, CANARY, server.environment()["AWS_ENDPOINT_URL"].rpartition("/")[2]]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 50
    contents = {path: path.read_bytes() for path in files}
    return [(p, s) for p, content in contents.items() for s in secrets if s.encode() in content]


def test_a_second_run_runs_nothing_and_asks_little(stored: Workshop, s3: SeaweedFS) -> None:
    assert stored.planned() == {}
    assert s3.proxy.count("GET", "HEAD") == s3.proxy.count() <= 2 * len(LARGE)
    # Listings (up to 1,000 objects each), and nothing for a single large object.
    assert s3.proxy.count(path="list-type=2") >= 1
    assert s3.proxy.count(path=".safetensors") == 0


def test_an_adopted_clone_recomputes_nothing_that_is_true(cloned: Workshop, s3: SeaweedFS) -> None:
    options = ("--", "--configfile", "tiny.yaml")
    adopted = goodhart_gap(cloned, "adopt", "results", *options)
    assert " 0 are stale" in adopted
    assert set(cloned.planned()) <= CHEAP
    assert local_weights(cloned) == {"models/tiny/calibration/tokens"}
    verified = goodhart_gap(
        cloned, "verify", "results", "--quick", "--full", "--storage", f"{s3.prefix}/run"
    )
    assert f"{len(LARGE)} on S3" in verified
    assert " 0 breaks" in verified
    RUBRIC(cloned)
    again = goodhart_gap(cloned, "adopt", "results", *options)
    assert [line for line in again.splitlines() if line.startswith("stale")] == [
        "stale: freeze_tasks results/tiny-n40/tasks.jsonl: "
        "input config/tasks/original-20.yaml changed"
    ]
    assert set(cloned.planned()) == {"freeze_tasks", "validate_graders", *SCORING, *CHEAP}


def test_hessians_that_passed_on_one_disk_leave_what_a_clone_must_know(
    checkpoint: Path, s3: SeaweedFS, tmp_path: Path
) -> None:
    maker = Workshop(tmp_path / "maker", checkpoint)
    maker.config = stored_config(f"{s3.prefix}/passed", hessians=False)
    index = "results/models/tiny/uniform/model.safetensors.index.json"
    calibration = [f"models/tiny/calibration{part}" for part in ("", "/hessians", "/activations")]
    folders = [*calibration, "models/tiny/base", "models/tiny/uniform"]
    maker.run("--", *(f"results/mirror/{folder}.json" for folder in folders))
    assert local_weights(maker) == {"models/tiny/calibration/tokens"}
    clone = Workshop(tmp_path / "clone", checkpoint)
    clone.config = maker.config
    options = ("--", *clone.command()[clone.command().index("--configfile") :], "--", index)
    adopted = goodhart_gap(clone, "adopt", "results", *options)
    assert " 0 are stale, 0 have no results here" in adopted
    assert clone.planned("--", index) == {}


def test_what_is_cut_off_on_s3_is_made_again_and_nothing_else(
    stored: Workshop, s3: SeaweedFS, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(stored.folder, copy, symlinks=True)
    workshop = Workshop.at(copy)
    workshop.config = stored.config
    key = "run/models/tiny/uniform/blocks002-003.safetensors"
    answer = s3.client().get_object(Bucket=BUCKET, Key=key)
    content, metadata = answer["Body"].read(), answer["Metadata"]
    s3.client().put_object(Bucket=BUCKET, Key=key, Body=content[:-100], Metadata=metadata)
    try:
        verified = goodhart_gap(workshop, "verify", "results", "--quick", status=1)
        dry = workshop.run("--dry-run", "--", "results/models/tiny/uniform/config.json")
    finally:
        s3.client().put_object(Bucket=BUCKET, Key=key, Body=content, Metadata=metadata)
    size = len(content)
    assert f"uniform/blocks002-003.safetensors: has {size - 100} bytes on S3" in verified
    assert " 1 breaks" in verified
    assert f"has {size - 100} bytes where its manifest says {size}" in dry


FAULTS: dict[str, tuple[dict[str, str], str, str]] = {
    "wrong credentials": (
        {"AWS_SECRET_ACCESS_KEY": CANARY},
        "s3://goodhart/faults",
        "the server refuses the credentials (SignatureDoesNotMatch); correct AWS_ACCESS_KEY_ID",
    ),
    "missing bucket": (
        {},
        "s3://no-such-bucket/faults",
        "there is no bucket no-such-bucket; create it, or correct storage.prefix.",
    ),
    "nobody there": (
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        "s3://goodhart/faults",
        "the server cannot be reached (EndpointConnectionError), and did not recover in",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_clear_sentence(
    workshop: Workshop, s3: SeaweedFS, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables, prefix, sentence = FAULTS[fault]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    workshop.config = stored_config(prefix, patience_s=1)
    failed = workshop.snakemake("--", "results/models/tiny/calibration/tokens.safetensors")
    assert failed.returncode != 0
    assert failed.stdout.count(sentence) == 1
    assert "Traceback" not in failed.stdout
    assert not (workshop.folder / "results").exists()
    assert not any(secret in failed.stdout for secret in (KEY, SECRET, CANARY, "127.0.0.1"))
    assert secrets_in(workshop.folder, s3) == []
