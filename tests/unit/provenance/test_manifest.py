import json
import subprocess
from pathlib import Path

import jsonschema
import pytest
import torch

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance import hashing, machine, schema
from goodhart_gap.provenance.code_digest import code_digest
from goodhart_gap.provenance.hashing import sha256_file
from goodhart_gap.provenance.manifest import logical_path, manifest_path, read_manifest
from goodhart_gap.provenance.record import Command, Recording

CANARY = "canary-0123456789abcdef"


def manifest_of(path: str):
    return read_manifest(manifest_path(Path(path)))


def test_says_what_was_made_from_what(finished):
    manifest = manifest_of("results/tables/counts.csv")
    assert manifest.artifact == "results/tables/counts.csv"
    assert manifest.output.sha256 == sha256_file(Path("results/tables/counts.csv"))
    assert {record.path: record.sha256 for record in manifest.inputs} == {
        "results/responses/42.txt": sha256_file(Path("results/responses/42.txt")),
        "results/trace.txt": manifest_of("results/trace.txt").output.sha256,
    }
    assert all(record.manifest for record in manifest.inputs)
    assert manifest.code.digest == code_digest("count", finished.folder / "scripts")


def test_settings_are_recorded_with_defaults_seeds_and_hints(project):
    project.freeze()
    project.sample(temperature="0.5")
    job = manifest_of("results/responses/42.txt").job
    assert job.script == "sample"
    assert job.arguments["--sampling"]["temperature"] == 0.5
    assert job.arguments["--sampling"]["top_p"] == 0.9
    assert job.seeds == {"--seed": 42}
    assert job.hints == ("--threads",)


def test_every_output_has_one_and_sources_are_hashed(finished):
    found = {str(path) for path in Path("results").rglob("*.prov.json")}
    assert found == {
        "results/tasks.txt.prov.json",
        "results/responses/42.txt.prov.json",
        "results/trace.txt.prov.json",
        "results/tables/counts.csv.prov.json",
    }
    (source,) = manifest_of("results/tasks.txt").inputs
    assert (source.manifest, source.sha256) == (False, sha256_file(Path("tasks.txt")))


def test_an_input_changed_after_its_manifest_is_hashed_anew(project):
    project.freeze()
    Path("results/tasks.txt").write_text("tampered")
    project.sample()
    (record,) = manifest_of("results/responses/42.txt").inputs
    assert (record.manifest, record.sha256) == (False, sha256_file(Path("results/tasks.txt")))


def journal_key(project, computes_here: bool = True, **environment: str) -> str:
    """The key of the journal of a job, run with some variables."""
    project.script(
        "freeze",
        f"""
        script.input("--source")
        script.output("--tasks", journal=True)
        script.computes_here(lambda args: {computes_here})

        def main(args):
            args.tasks.write_text(args.tasks_journal.key)
        """,
    )
    files = ("--source", "tasks.txt", "--tasks", "results/tasks.txt")
    project.run("freeze", *files, **environment)
    return Path("results/tasks.txt").read_text()


def test_a_journal_of_other_vector_instructions_is_not_gone_on_with(project):
    # On a processor with none but the default ones, torch could not be told to leave them out.
    if torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        pytest.skip("this processor has no vector instructions that torch names")
    assert journal_key(project) == journal_key(project)
    assert journal_key(project) != journal_key(project, ATEN_CPU_CAPABILITY="default")


def test_a_journal_of_what_an_endpoint_answered_is_gone_on_with_anywhere(project):
    here = journal_key(project, computes_here=False)
    assert here == journal_key(project, computes_here=False, ATEN_CPU_CAPABILITY="default")
    assert here != journal_key(project)


def test_a_journal_of_other_gpus_is_not_gone_on_with(project, monkeypatch):
    recording = Recording(Command(project.folder / "scripts/freeze.py", {}, (), ()), [], [])

    def key(gpus: list[str]) -> str:
        monkeypatch.setattr(machine, "visible_gpus", lambda: gpus)
        return recording.identity()

    assert key(["NVIDIA H100"]) == key(["NVIDIA H100"])
    assert len({key([]), key(["NVIDIA H100"]), key(["NVIDIA H100"] * 2), key(["A10"])}) == 4


def test_gpus_are_named_without_holding_one(monkeypatch):
    asked = []

    def run(command, **options):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "NVIDIA H100\nNVIDIA A10\n", "")

    monkeypatch.setattr(machine.subprocess, "run", run)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert (machine.visible_gpus(), asked) == ([], [])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert machine.visible_gpus() == ["NVIDIA H100", "NVIDIA A10"]
    assert not torch.cuda.is_initialized()


def test_gpus_that_cannot_be_named_are_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(machine, "_ASK", "raise RuntimeError('the driver is too old')")
    with pytest.raises(GoodhartError, match=r"\(RuntimeError: the driver is too old\); repair"):
        machine.visible_gpus()


def test_a_failed_job_leaves_no_manifest(finished):
    project = finished
    project.script(
        "freeze",
        """
        script.input("--source")
        script.output("--tasks")

        def main(args):
            args.tasks.write_text("half")
            raise SystemExit(3)
        """,
    )
    before = Path("results/tasks.txt").read_text()
    result = project.run(
        "freeze", "--source", "tasks.txt", "--tasks", "results/tasks.txt", check=False
    )
    assert result.returncode == 3
    assert Path("results/tasks.txt").read_text() == before
    assert not Path("results/tasks.txt.prov.json").exists()
    assert not list(Path("results").glob(".partial*"))


def test_a_temporary_file_remembers_its_earlier_versions(project):
    project.freeze()
    project.observe()
    first = manifest_of("results/trace.txt").output.sha256
    project.observe(seed="7")
    manifest = manifest_of("results/trace.txt")
    assert manifest.output.temporary
    assert [version.sha256 for version in manifest.earlier] == [first]
    project.observe()
    manifest = manifest_of("results/trace.txt")
    assert manifest.output.sha256 == first
    assert first not in [version.sha256 for version in manifest.earlier]


@pytest.mark.parametrize("place", [0, 40, 500, -70, -3, -1])
def test_one_changed_byte_breaks_the_seal(finished, place):
    path = Path("results/tasks.txt.prov.json")
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(GoodhartError, match=r"results/tasks.txt.prov.json: .*seal"):
        read_manifest(path)


def test_secrets_reach_neither_manifest_nor_terminal(project):
    project.script(
        "freeze",
        """
        import logging, os, sys

        script.input("--source")
        script.output("--tasks")
        script.value("--token")

        def main(args):
            secret = os.environ["HF_TOKEN"]
            logging.info("token %s", secret)
            print("token", secret)
            sys.stderr.writelines([secret])
            args.tasks.write_text("fine")
            if os.environ.get("FAIL"):
                raise RuntimeError(f"https://user:{secret}@host refused {secret}")
        """,
    )
    words = ("--source", "tasks.txt", "--tasks", "results/tasks.txt", "--token", CANARY)
    good = project.run("freeze", *words, HF_TOKEN=CANARY)
    bad = project.run("freeze", *words, HF_TOKEN=CANARY, FAIL="1", check=False)
    wrong = project.run("freeze", *words, "--absent", CANARY, HF_TOKEN=CANARY, check=False)
    assert (bad.returncode, wrong.returncode) == (1, 2)
    printed = "".join(r.stdout + r.stderr for r in (good, bad, wrong))
    assert CANARY not in printed
    assert printed.count("***HF_TOKEN***") >= 5
    project.run("freeze", *words, HF_TOKEN=CANARY)
    text = Path("results/tasks.txt.prov.json").read_text()
    assert CANARY not in text
    assert json.loads(text)["job"]["arguments"]["--token"] == "***HF_TOKEN***"


def test_a_copy_of_an_s3_object_has_its_manifest_among_the_results():
    copy = Path(".snakemake/storage/s3/bucket/prefix/results/models/m/base/a.safetensors")
    assert manifest_path(copy) == Path("results/models/m/base/a.safetensors.prov.json")
    assert logical_path(copy) == "results/models/m/base/a.safetensors"


def test_a_large_source_is_read_once(project, monkeypatch):
    monkeypatch.setattr(hashing, "KEPT_BYTES", 4)
    path = Path("tasks.txt")
    digest = hashing.sha256_source(path)
    assert digest == sha256_file(path)
    monkeypatch.setattr(hashing, "sha256_file", lambda path: pytest.fail("read again"))
    assert hashing.sha256_source(path) == digest
    monkeypatch.undo()
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(hashing, "KEPT_BYTES", 4)
    path.write_text("other task")
    assert hashing.sha256_source(path) == sha256_file(path) != digest


def test_the_schema_is_up_to_date_and_fits(finished):
    root = Path(__file__).parents[3]
    text = (root / schema.SCHEMA).read_text()
    assert text == schema.schema_text(), "run python -m goodhart_gap.provenance.schema"
    validator = jsonschema.Draft202012Validator(json.loads(text))
    for path in Path("results").rglob("*.prov.json"):
        validator.validate(json.loads(path.read_text()))
