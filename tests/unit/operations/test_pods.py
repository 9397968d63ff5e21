import base64
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from goodhart_gap.errors import GoodhartError
from goodhart_gap.operations.pods import start
from goodhart_gap.operations.pods.launcher import environment_of_pod
from goodhart_gap.operations.pods.prediction import key_variables
from goodhart_gap.operations.pods.settings import PodSettings
from goodhart_gap.operations.pods.start import encoded, start_script
from goodhart_gap.provenance.graph import GraphJob
from goodhart_gap.provenance.redaction import redact
from goodhart_gap.storage import store

POD = {
    "name": "tiny",
    "configfile": "config/config.yaml",
    "prefix": "s3://bucket/x",
    "repository": "https://example.org/workflow.git",
    "gpus": ["NVIDIA H100 PCIe"],
    "dollars_cap": 5,
}


def test_the_start_script_is_one_that_bash_understands() -> None:
    settings = PodSettings.model_validate(POD | {"targets": ["results/a b", "results/$HOME"]})
    encoded_script = encoded(start_script(settings, "results", gpus=2, seconds=60))
    script = base64.b64decode(encoded_script).decode()
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert "--cores 16 --resources gpu=2 mem_mb=128000" in script
    assert "-- 'results/a b' 'results/$HOME'" in script


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


# Programs of an image in which nothing is installed yet: they write down how they were called.
# `make` makes what the real one makes, as far as the start script sees it: python and snakemake.
SAY = 'echo "$(basename "$0") $*" >> "$CALLS"'
BARE_IMAGE = {
    "git": f'{SAY}\nif [ "$1" = clone ]; then sleep "${{CLONE_S:-0}}"; mkdir -p "${{@: -1}}"; fi',
    "python": "exit 1",
    "runpodctl": SAY,
    "make": f'{SAY}\nmkdir -p .venv/bin && cp "$(dirname "$0")"/../venv/* .venv/bin',
}
VENV = {
    "python": SAY
    + """
case "$3" in
  mirror) sleep "${MIRROR_S:-0}"; exit "${MIRROR_ENDS_WITH:-0}";;
  adopt) echo "adopt was here"; exit "${ADOPT_ENDS_WITH:-0}";;
esac""",
    # As the real one: told to end, it lets its job finish.
    "snakemake": SAY
    + """
mkdir -p "out/my runs"
trap 'echo "snakemake was told to end" >> "$CALLS"' TERM
bash -c 'sleep "${JOB_S:-0}"; echo "job done" >> "$CALLS"' &
while ! wait $!; do :; done
exit "${SNAKEMAKE_ENDS_WITH:-0}"
""",
}


def run_start_script(folder: Path, seconds: int = 60, **variables: str) -> list[str]:
    """Run the start script on an image without the package; return the calls it made, in order."""
    for place, programs in (("bin", BARE_IMAGE), ("venv", VENV)):
        for name, text in programs.items():
            write_program(folder / place / name, text)
    calls = folder / "calls"
    settings = PodSettings.model_validate(POD | {"volume_path": str(folder / "volume")})
    environment = os.environ | variables
    environment |= {
        "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
        "CALLS": str(calls),
        "RUNPOD_POD_ID": "pod1",
    }
    script = start_script(settings, "out/my runs", gpus=1, seconds=seconds)
    subprocess.run(["bash"], input=script, text=True, env=environment, check=False, timeout=60)
    return calls.read_text().splitlines()


def test_a_bare_image_gets_the_editable_install_and_nothing_over_it(tmp_path: Path) -> None:
    calls = run_start_script(tmp_path)
    assert [call for call in calls if call.startswith(("make", "pip"))] == ["make hub"]
    runs = [call for call in calls if call.startswith("snakemake")]
    assert len(runs) == 1
    assert "--workflow-profile profiles/runpod" in runs[0]
    assert calls[-1] == "runpodctl stop pod pod1"
    log = tmp_path / "volume/pod.log"
    assert "python -m goodhart_gap.locks" in calls
    assert f"--log {log} --prefix s3://bucket/x --end 0" in calls[-2]


def test_what_is_on_s3_is_adopted_before_anything_runs(tmp_path: Path) -> None:
    calls = run_start_script(tmp_path)
    (run,) = (call.removeprefix("snakemake ") for call in calls if call.startswith("snakemake"))
    adopt = f"python -m goodhart_gap.cli adopt out/my runs --empty -- {run}"
    assert calls.index(adopt) < calls.index(f"snakemake {run}")
    assert "--config storage={prefix: s3://bucket/x, hessians: true}" in run


def test_nothing_is_computed_where_it_cannot_be_told_what_is_made(tmp_path: Path) -> None:
    calls = run_start_script(tmp_path, ADOPT_ENDS_WITH="1")
    assert not [call for call in calls if call.startswith("snakemake")]
    assert "adopt was here" in (tmp_path / "volume/pod.log").read_text()
    assert calls[-2].endswith("--end 1")
    assert calls[-1] == "runpodctl stop pod pod1"


def test_at_the_end_of_its_time_a_job_may_finish_and_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "reserve_s", lambda seconds: seconds * 2 // 3)
    calls = run_start_script(tmp_path, seconds=9, JOB_S="5")
    told = [calls.index(text) for text in ("snakemake was told to end", "job done")]
    copied = next(n for n, call in enumerate(calls) if "mirror" in call)
    assert told == sorted(told)
    assert told[-1] < copied
    assert "time is spent" in (tmp_path / "volume/pod.log").read_text()


@pytest.mark.parametrize("step", ["CLONE_S", "MIRROR_S"])
def test_what_hangs_is_not_paid_without_end(tmp_path: Path, step: str) -> None:
    calls = run_start_script(tmp_path, seconds=2, **{step: "50"})
    assert calls[-1] == "runpodctl stop pod pod1"
    assert ("snakemake" in " ".join(calls)) == (step == "MIRROR_S")


@pytest.mark.parametrize(
    ("snakemake", "mirror", "end"),
    [("0", "0", "0"), ("3", "0", "3"), ("0", "1", "1"), ("3", "1", "3")],
)
def test_what_was_made_is_copied_before_the_end_is_told(
    tmp_path: Path, snakemake: str, mirror: str, end: str
) -> None:
    calls = run_start_script(tmp_path, SNAKEMAKE_ENDS_WITH=snakemake, MIRROR_ENDS_WITH=mirror)
    words = "python -m goodhart_gap.cli mirror out/my runs s3://bucket/x"
    assert [call for call in calls if "mirror" in call] == [words]
    assert calls.index(words) > next(n for n, c in enumerate(calls) if c.startswith("snakemake"))
    assert calls[-2].endswith(f"--end {end}")
    assert calls[-1] == "runpodctl stop pod pod1"


@pytest.mark.parametrize(
    "change",
    [
        {"repository": "https://example.org/x; rm -rf /"},
        {"repository": "--upload-pack=evil"},
        {"image": 'a"b'},
        {"volume_path": "workspace"},
        {"dollars_cap": 0},
        {"gpus": []},
    ],
)
def test_what_a_shell_or_a_query_would_read_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PodSettings.model_validate(POD | change)


def test_the_pod_gets_what_storage_and_judges_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read = re.findall(r'"((?:SNAKEMAKE_STORAGE_S3|AWS)_\w+)"', inspect.getsource(store))
    assert len(read) == 8
    for name in (*read, "MY_KEY", "RUNPOD_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, f"value-of-{name}")
    environment = environment_of_pod(["MY_KEY"])
    assert {*read, "MY_KEY"} <= environment.keys()
    assert environment["MY_KEY"] == "value-of-MY_KEY"
    assert not {"RUNPOD_API_KEY", "OPENAI_API_KEY"} & environment.keys()
    assert redact("refused: value-of-MY_KEY") == "refused: ***MY_KEY***"
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(GoodhartError, match=r"MY_KEY: not set, and the judge of this run needs"):
        environment_of_pod(["MY_KEY"])


def test_the_keys_of_the_judges_that_a_run_asks() -> None:
    def experiment(api: dict[str, str] | None, explanation: str = "judge") -> dict[str, object]:
        judge = (
            {"model": "m"} if api is None else {"api": {"url": "https://x/v1", "model": "m"} | api}
        )
        return {"grading": {"explanation": explanation, "judge": judge}}

    config = {
        "experiments": {
            "default": experiment({}),
            "named": experiment({"key_variable": "MY_KEY"}),
            "not-asked": experiment({"key_variable": "OTHER"}, "rubric"),
            "not-run": experiment({"key_variable": "THIRD"}),
            "local": experiment(None),
            "rubric": {"source": "live"},
        }
    }
    names = ("default", "named", "not-asked", "local", "rubric")
    jobs = [GraphJob.model_construct(wildcards={"experiment": name}) for name in names]
    jobs.append(GraphJob.model_construct(wildcards={"model": "m"}))
    assert key_variables(jobs, config) == ("MY_KEY", "OPENAI_API_KEY")


def test_the_command_line_tool_starts_without_heavy_libraries() -> None:
    code = (
        "import sys, goodhart_gap.cli, goodhart_gap.operations.monitor\n"
        "heavy = {'torch', 'transformers', 'runpod', 'boto3', 'huggingface_hub', 'snakemake'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
