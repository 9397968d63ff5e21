import base64
import subprocess
import sys

import pytest
from pydantic import ValidationError

from goodhart_gap.operations.pods.settings import PodSettings
from goodhart_gap.operations.pods.start import encoded, start_script

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
    script = base64.b64decode(encoded(start_script(settings, gpus=2, seconds=60))).decode()
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert "--resources gpu=2" in script
    assert "-- 'results/a b' 'results/$HOME'" in script
    assert "timeout --signal=TERM --kill-after=600 60 snakemake" in script


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


def test_the_command_line_tool_starts_without_heavy_libraries() -> None:
    code = (
        "import sys, goodhart_gap.cli, goodhart_gap.operations.monitor\n"
        "heavy = {'torch', 'transformers', 'runpod', 'boto3', 'huggingface_hub', 'snakemake'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
