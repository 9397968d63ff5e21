"""The launcher of rented machines, against a stand-in of RunPod's API and a real S3 server.

The last test runs the workflow on the "pod", a process of this machine. Nothing here was tried on
the real service.
"""

import base64
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.operations.demands import Demands, GpuDemand
from goodhart_gap.operations.pods.api import PodApi
from goodhart_gap.operations.pods.launcher import (
    Predicted,
    create,
    find,
    forget_end,
    pods_text,
    watch,
)
from goodhart_gap.operations.pods.settings import PodSettings, read_pod_settings
from goodhart_gap.operations.pods.start import VARIABLE
from tests.integration.workshop import ROOT
from tests.servers.runpod import KEY, RunPod, StoodInPod
from tests.servers.seaweed import BUCKET, SECRET, SeaweedFS

pytestmark = pytest.mark.workflow

pytest.importorskip("runpod", reason="the runpod library is an optional extra")

H100, A100 = "NVIDIA H100 80GB HBM3", "NVIDIA A100 80GB PCIe"
PREDICTED = Predicted(
    Demands(
        jobs=9,
        results_bytes=4e10,
        scratch_bytes=1e10,
        scratch_rule="compress_shard",
        storage_bytes=1e11,
        gpus=GpuDemand(2, 150e9, "sample_responses"),
    ),
    hours=10,
)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    with SeaweedFS(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def runpod(tmp_path: Path, s3: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunPod]:
    with RunPod(tmp_path / "runpod") as server:
        for name, value in (server.environment | s3.environment()).items():
            monkeypatch.setenv(name, value)
        yield server


def settings(**changes: Any) -> PodSettings:
    values = {
        "name": "tiny",
        "configfile": "config/config.yaml",
        "prefix": f"s3://{BUCKET}/pods",
        "repository": str(ROOT),
        "gpus": [H100, A100],
        "dollars_cap": 100,
        "vcpus": 2,
    }
    return PodSettings.model_validate(values | changes)


def test_the_pod_fits_the_plan(runpod: RunPod) -> None:
    runpod.runs_commands = False
    said: list[str] = []
    create(settings(), PREDICTED, PodApi(), said.append)
    (pod,) = runpod.pods.values()
    assert pod.asked["gpuTypeId"] == H100
    assert pod.asked["gpuCount"] == "2"
    assert pod.asked["volumeInGb"] == "90"  # 1.2 times 40 + 10 GB, and 25 GB of software
    assert pod.asked["volumeMountPath"] == "/workspace"
    assert pod.environment["AWS_SECRET_ACCESS_KEY"] == SECRET
    assert "RUNPOD_API_KEY" not in pod.environment
    assert "2 x NVIDIA H100 80GB HBM3, volume of 90 GB, 6.00 dollars an hour" in said[0]
    assert SECRET not in pods_text(PodApi().pods())


def test_the_next_type_is_taken_where_the_first_is_not_to_be_had(runpod: RunPod) -> None:
    runpod.runs_commands = False
    runpod.free = {A100}
    pod = create(settings(gpus=["NVIDIA B1000", H100, A100]), PREDICTED, PodApi(), print)
    assert pod.gpu == A100


@pytest.mark.parametrize(("cloud", "dollars"), [("SECURE", 6.0), ("COMMUNITY", 4.0), ("ALL", 6.0)])
def test_the_price_is_that_of_the_cloud_asked_for(
    runpod: RunPod, cloud: str, dollars: float
) -> None:
    assert PodApi().price(H100, 2, cloud) == dollars
    assert PodApi().price(A100, 2, "COMMUNITY") is None
    assert PodApi().price("NVIDIA B1000", 2, cloud) is None


def seconds_of(pod: StoodInPod) -> int:
    """Return how many seconds the start script of a pod has."""
    script = base64.b64decode(pod.environment[VARIABLE]).decode()
    return max(int(text) for text in re.findall(r"\$\(left (\d+)\)", script))


def test_a_pod_that_is_dearer_than_listed_gets_less_time(runpod: RunPod) -> None:
    runpod.runs_commands = False
    runpod.surcharges["SECURE"] = 1.5
    said: list[str] = []
    pod = create(settings(), PREDICTED, PodApi(), said.append)
    assert list(runpod.pods) == [pod.id]
    assert seconds_of(runpod.pods[pod.id]) == 3600 * 100 // 9
    assert "costs 9.00 dollars an hour and not the 6.00" in said[0]
    assert "9.00 dollars an hour, stops after 11.1 h (100.00 dollars)" in said[1]


def test_a_pod_whose_real_price_the_plan_does_not_fit_is_deleted(runpod: RunPod) -> None:
    runpod.runs_commands = False
    runpod.surcharges["SECURE"] = 2.0
    with pytest.raises(GoodhartError, match=r"at 12.00 dollars an hour the cap lasts 8.3 h, and"):
        create(settings(gpus=[H100]), PREDICTED, PodApi(), print)
    assert runpod.pods == {}


def test_no_type_within_the_cap_is_refused_with_numbers(runpod: RunPod) -> None:
    with pytest.raises(GoodhartError, match=r"at 6.00 dollars an hour the cap lasts 1.7 h, and"):
        create(settings(dollars_cap=10), PREDICTED, PodApi())
    assert runpod.pods == {}


def test_a_second_pod_of_the_name_is_refused(runpod: RunPod) -> None:
    runpod.runs_commands = False
    create(settings(), PREDICTED, PodApi(), print)
    with pytest.raises(GoodhartError, match=r"there is a pod of this name \(RUNNING\)"):
        create(settings(), PREDICTED, PodApi())
    api = PodApi()
    api.stop(find("tiny", api))
    assert find("tiny", api).status == "EXITED"
    api.delete(find("tiny", api))
    with pytest.raises(GoodhartError, match="there is no such pod; there are: none"):
        find("tiny", api)


def test_a_wrong_key_and_a_missing_one(runpod: RunPod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_wrong_9876543210")
    with pytest.raises(GoodhartError, match="RunPod refuses the key") as refused:
        PodApi().pods()
    assert "rpa_wrong" not in str(refused.value)
    monkeypatch.delenv("RUNPOD_API_KEY")
    with pytest.raises(GoodhartError, match="RUNPOD_API_KEY: not set"):
        PodApi()


def test_an_error_of_the_api_tells_no_secret(
    runpod: RunPod, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(query: str) -> dict[str, Any]:
        if "podFindAndDeploy" in query:
            raise ValueError(f"cannot: {query}")
        return RunPod.answer(runpod, query)

    monkeypatch.setattr(runpod, "answer", refuse)
    with pytest.raises(GoodhartError) as refused:
        create(settings(), PREDICTED, PodApi())
    out, err = capfd.readouterr()
    for secret in (SECRET, KEY):
        assert secret not in f"{refused.value} {out} {err}"


def test_when_the_money_is_spent_the_pod_is_stopped(runpod: RunPod) -> None:
    runpod.runs_commands = False
    runpod.seconds_per_hour = 0.01
    create(settings(prefix=f"s3://{BUCKET}/spent"), PREDICTED, PodApi(), print)
    with pytest.raises(GoodhartError, match=r"stopped after [\d.]+ dollars \(dollars_cap = 100"):
        watch(settings(prefix=f"s3://{BUCKET}/spent"), PodApi(), look_s=0.3)
    assert next(iter(runpod.pods.values())).status == "EXITED"


def test_a_pod_that_died_is_told(runpod: RunPod) -> None:
    runpod.runs_commands = False
    create(settings(prefix=f"s3://{BUCKET}/died"), PREDICTED, PodApi(), print)
    next(iter(runpod.pods.values())).status = "EXITED"
    with pytest.raises(GoodhartError, match="the pod is EXITED and its run has not ended"):
        watch(settings(prefix=f"s3://{BUCKET}/died"), PodApi(), look_s=0.1)


def test_the_file_of_a_pod_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text((ROOT / "config/pods/qwen2-72b-n100.yaml").read_text() + "gpu_cont: 2\n")
    with pytest.raises(GoodhartError, match=r"pod.yaml: gpu_cont: Extra inputs"):
        read_pod_settings(file)
    assert read_pod_settings(ROOT / "config/pods/qwen2-72b-n100.yaml").gpus[0] == H100


def test_the_workflow_runs_there_and_the_pod_stops_itself(
    runpod: RunPod, s3: SeaweedFS, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(repository)], check=True)
    pod = settings(
        repository=str(repository),
        prefix=f"s3://{BUCKET}/run",
        volume_path=str(tmp_path / "volume"),
        targets=["results/published-n20/ANALYSIS.md"],
    )
    runpod.seconds_per_hour = 60.0  # a pod that hangs has spent its money after 17 minutes
    said: list[str] = []
    create(pod, PREDICTED, PodApi(), said.append)
    assert watch(pod, PodApi(), said.append, look_s=0.5) == 0, said
    (there,) = runpod.pods.values()
    assert there.status == "EXITED"
    log = "\n".join(said)
    assert "steps (100%) done" in log
    assert SECRET not in log
    analysis = "workflow/results/published-n20/ANALYSIS.md"
    assert "DBDK" in (tmp_path / "volume" / analysis).read_text()
    assert SECRET not in (runpod.folder / f"{there.id}.out").read_text()
    # Another pod, with an empty volume, makes nothing again.
    api = PodApi()
    api.delete(find("tiny", api))
    forget_end(pod)
    again = pod.model_copy(update={"volume_path": str(tmp_path / "other")})
    said.clear()
    create(again, PREDICTED, api, said.append)
    assert watch(again, api, said.append, look_s=0.5) == 0, said
    log = "\n".join(said)
    assert re.search(r"[1-9]\d* jobs are up to date, 0 are stale, 0 have no results here", log)
    assert "Nothing to be done" in log
    assert (tmp_path / "other" / analysis).read_bytes() == (
        tmp_path / "volume" / analysis
    ).read_bytes()
