"""Snakemake with the storage plugin, on a workflow of three jobs and a real S3 server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.s3_proxy import Action, on, times
from tests.servers.seaweed import BUCKET, SeaweedFS

ROOT = Path(__file__).parents[3]

SCRIPT = '''"""Copy a file, with some more text."""
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--source")
script.value("--text")
script.output("--copy")


def main(args):
    args.copy.write_text(args.source.read_text() + args.text)


if __name__ == "__main__":
    script.run(main)
'''

SNAKEFILE = """
from goodhart_gap.provenance.storage_plugin import register

register()

storage:
    provider="goodhart",
    prefix=config["prefix"],
    results="results",
    patience_s=300,


def large(name, temporary=False):
    query = f"{config['prefix']}/models/m/{name}.safetensors"
    return storage.goodhart(temp(query) if temporary else query)


COPY = "python scripts/extend.py --source {input} --copy {output} --text {params.text}"


rule all:
    input: "results/report.txt"


rule fetch:
    input: "source.txt"
    output: ensure(large("base"), non_empty=True)
    params: text="base"
    shell: COPY


rule pass_on:
    input: large("base")
    output: large("passing", temporary=True)
    params: text="passing"
    shell: COPY


rule compress:
    input: large("passing")
    output: large("{condition}/shard")
    wildcard_constraints: condition="c.*"
    params: text=config.get("text", "compressed")
    shell: COPY


rule report:
    input: large("c1/shard")
    output: "results/report.txt"
    params: text="report"
    shell: COPY
"""

KEPT = {"models/m/base.safetensors", "models/m/c1/shard.safetensors"}


class Workflow:
    """A folder in which the workflow runs."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.folder, self.prefix = folder, prefix
        (folder / "scripts").mkdir(parents=True)
        (folder / "scripts/extend.py").write_text(SCRIPT)
        (folder / "Snakefile").write_text(SNAKEFILE)
        (folder / "source.txt").write_text("x" * 10_000)

    def snakemake(self, *options: str, **config: str) -> str:
        """Run Snakemake, which must succeed, and return what it prints."""
        values = [f"{key}={value}" for key, value in {"prefix": self.prefix, **config}.items()]
        result = subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "1", *options, "--config", *values],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        )
        assert result.returncode == 0, result.stdout
        assert "Traceback" not in result.stdout
        return result.stdout

    def report(self) -> str:
        """What the last job wrote, without the source."""
        return (self.folder / "results/report.txt").read_text().strip("x")


@pytest.fixture
def workflow(s3: SeaweedFS, tmp_path: Path, request: pytest.FixtureRequest) -> Workflow:
    """The workflow, its large files under a prefix of the test's own."""
    return Workflow(tmp_path / "run", f"{s3.prefix}/{request.node.name}")


def stored(server: SeaweedFS, workflow: Workflow) -> set[str]:
    """Names of the objects on S3 that are no manifests."""
    folder = workflow.prefix.removeprefix(f"{server.prefix}/")
    names = {name.removeprefix(f"{folder}/") for name in server.objects(folder)}
    return {name for name in names if not name.endswith(".prov.json")}


def test_what_lasts_lies_on_s3_and_nothing_large_here(s3: SeaweedFS, workflow: Workflow) -> None:
    workflow.snakemake()
    assert workflow.report() == "basepassingcompressedreport"
    assert stored(s3, workflow) == KEPT
    assert list(workflow.folder.rglob("*.safetensors")) == []
    assert len(list(workflow.folder.rglob("results/**/*.prov.json"))) == 4
    s3.proxy.forget()
    assert "Nothing to be done" in workflow.snakemake("--dry-run")
    assert 0 < s3.proxy.count() <= 2 * len(KEPT)
    assert s3.proxy.count(path="list-type=2") == s3.proxy.count()

    # The server's clock decides nothing: put there again, the base is the newest object there is.
    client, folder = s3.client(), workflow.prefix.removeprefix(f"{s3.prefix}/")
    key = f"{folder}/models/m/base.safetensors"
    answer = client.get_object(Bucket=BUCKET, Key=key)
    content, metadata = answer["Body"].read(), answer["Metadata"]
    client.put_object(Bucket=BUCKET, Key=key, Body=content, Metadata=metadata)
    assert "Nothing to be done" in workflow.snakemake("--dry-run")


def test_an_object_cut_off_is_made_again(s3: SeaweedFS, workflow: Workflow) -> None:
    workflow.snakemake()
    folder = workflow.prefix.removeprefix(f"{s3.prefix}/")
    key = f"{folder}/models/m/c1/shard.safetensors"
    size = s3.objects(folder)[key]
    s3.client().put_object(Bucket=BUCKET, Key=key, Body=b"x" * (size - 1))
    (workflow.folder / "results/report.txt").unlink()
    output = workflow.snakemake()
    assert f"has {size - 1} bytes where its manifest says {size}" in output
    assert workflow.report() == "basepassingcompressedreport"
    assert s3.objects(folder)[key] == size


def test_a_changed_parameter_makes_again_what_reads_it(s3: SeaweedFS, workflow: Workflow) -> None:
    workflow.snakemake()
    output = workflow.snakemake(text="other")
    assert workflow.report() == "basepassingotherreport"
    # The temporary file between them was gone.
    assert re.findall(r"rule (\w+):$", output, re.MULTILINE) == [
        "pass_on",
        "compress",
        "report",
        "all",
    ]
    assert stored(s3, workflow) == KEPT


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_the_run_goes_on_when_the_server_is_back(
    s3: SeaweedFS, workflow: Workflow, method: str
) -> None:
    away = []

    def away_for_a_while() -> None:
        s3.kill()
        s3.start()
        away.append(method)

    action = Action(upload_bytes=5_000, download_bytes=5_000, then=away_for_a_while)
    if method == "GET":
        # What lies on S3 only must come from there.
        workflow.snakemake("--until", "fetch")
    s3.proxy.fault = times(1, on(method, "base.safetensors", action))
    workflow.snakemake()
    assert workflow.report() == "basepassingcompressedreport"
    assert stored(s3, workflow) == KEPT
    assert away == [method]


def test_a_storm_of_503_is_waited_for(s3: SeaweedFS, workflow: Workflow) -> None:
    arrived = []

    def storm(request: object) -> Action | None:
        arrived.append(request)
        return Action(status=503, code="SlowDown") if len(arrived) % 4 in (1, 2) else None

    s3.proxy.fault = storm
    workflow.snakemake()
    assert workflow.report() == "basepassingcompressedreport"
