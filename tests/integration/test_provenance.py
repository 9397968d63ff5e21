"""Provenance of the real workflow: what is flipped is named, what is true is adopted."""

import os
import shutil
from pathlib import Path

import pytest

from goodhart_gap.provenance.adopt import adopt, judge
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.graph import read_graph
from goodhart_gap.provenance.redaction import SECRET_VARIABLES
from goodhart_gap.provenance.trace import steps
from goodhart_gap.provenance.verify import verify
from tests.integration.workshop import Workshop

pytestmark = pytest.mark.workflow

OPTIONS = ["--configfile", "tiny.yaml"]

KINDS = [
    "models/tiny/base/blocks000-001.safetensors",
    "models/tiny/uniform/blocks000-001.safetensors",
    "models/tiny/calibration/tokens.safetensors",
    "models/tiny/uniform/allocation.json",
    "tiny-n40/tasks.jsonl",
    "tiny-n40/responses/uniform/seed42/runs0-0.jsonl",
    "tiny-n40/outcomes/uniform/seed42/run0.json",
    "tiny-n40/tables/rates.csv",
    "tiny-n40/figures/quadrants.svg",
    "tiny-n40/ANALYSIS.md",
    "tiny-n40/ANALYSIS.md.prov.json",
    "models/tiny/calibration/hessians/blocks000-001.safetensors.prov.json",
]


@pytest.fixture
def copied(finished: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A copy of the finished workshop, to damage; the current folder."""
    copy = finished.copied_to(tmp_path / "copy")
    monkeypatch.chdir(copy.folder)
    return copy


@pytest.fixture
def cloned(
    finished: Workshop, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Workshop:
    """A fresh workshop with the results of the finished one, all modification times new."""
    clone = Workshop(tmp_path / "clone", checkpoint)
    shutil.copytree(
        finished.folder / "results", clone.folder / "results", copy_function=shutil.copy
    )
    clone.command()
    monkeypatch.chdir(clone.folder)
    return clone


def adopt_results(*options: str) -> list[tuple[str, list[str]]]:
    """Adopt the results of the current folder; return the stale rules and why."""
    chain = read_chain(Path("results"))
    graph = read_graph([*OPTIONS, *options])
    judged = judge(graph, chain)
    assert not judged.absent
    adopt(judged, graph, chain, [*OPTIONS, *options])
    return [(job.rule, found) for job, found in judged.stale]


def test_every_byte_counts_and_only_the_flipped_file_is_named(copied: Workshop) -> None:
    results = Path("results")
    assert verify(read_chain(results), render=False).breaks == []
    for name in KINDS:
        path = results / name
        content = path.read_bytes()
        place = len(content) // 2
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        found = verify(read_chain(results), render=False).breaks
        path.write_bytes(content)
        assert [item.path for item in found] == [str(path)]


def test_the_documents_say_what_their_tables_say(copied: Workshop) -> None:
    result = verify(read_chain(Path("results")))
    assert result.breaks == []
    assert result.documents == result.rendered >= 1


def test_the_chain_goes_from_the_document_to_the_checkpoint(copied: Workshop) -> None:
    found = steps(read_chain(Path("results")), "results/tiny-n40/ANALYSIS.md")
    assert found[0].name == "write_analysis"
    assert {step.name for step in found} >= {
        "aggregate",
        "score_responses",
        "sample_responses",
        "assemble",
        "compress_shard",
        "accumulate_hessians",
        "fetch_shard",
        "source",
    }
    assert "checkpoint/model.safetensors" in found[-1].paths


def test_a_manifest_can_vouch_for_every_job(cloned: Workshop) -> None:
    graph = read_graph(OPTIONS)
    chain = read_chain(Path("results"))
    for job in graph.jobs:
        for output in job.outputs:
            manifest = chain.entries[output.path].manifest
            assert manifest.output.temporary == output.temporary, output.path
            assert {record.path for record in manifest.inputs} == set(job.inputs), output.path
    assert judge(graph, chain).stale == []


def test_an_adopted_clone_reruns_nothing_and_then_only_what_changed(cloned: Workshop) -> None:
    assert adopt_results() == []
    assert cloned.planned() == {}
    tasks = Path("config/tasks/original-20.yaml")
    text = tasks.read_text()
    assert "name: subtract the coupon" in text
    tasks.write_text(text.replace("name: subtract the coupon", "name: take off the coupon"))
    assert {rule for rule, _ in adopt_results()} == {"freeze_tasks"}
    assert "sample_responses" not in cloned.planned()
    assert {"freeze_tasks", "score_responses", "write_analysis"} <= set(cloned.planned())


def test_staleness_is_explained_by_content(cloned: Workshop) -> None:
    cloned.config["conditions"]["uniform"]["compress"]["rank"] = 2
    cloned.command()
    stale = dict(adopt_results())
    facts = stale.pop("write_analysis")
    assert all(found.startswith("--facts: descriptions.uniform ") for found in facts)
    changed = ["--settings: compress.rank 4 -> 2"]
    assert stale == {"allocate": changed, "assemble": changed}
    planned = cloned.planned()
    assert planned["allocate"] == 1
    assert {"compress_shard", "sample_responses"} <= set(planned)


def test_planted_secrets_are_in_no_file(
    finished: Workshop, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries = {name: f"canary-{name.lower()}-0123456789" for name in SECRET_VARIABLES}
    for name, canary in canaries.items():
        monkeypatch.setenv(name, canary)
    workshop.run("--nolock", "results/tiny-n40/tasks.jsonl", "results/models/tiny/base/config.json")
    (workshop.folder / "checkpoint").unlink()
    (workshop.folder / "checkpoint").mkdir()
    (workshop.folder / "checkpoint/model.safetensors").write_bytes(b"broken")
    failed = workshop.snakemake("--nolock", "results/models/tiny/base/embeddings.safetensors")
    assert failed.returncode != 0
    texts = [failed.stdout.encode()]
    for folder in (workshop.folder, finished.folder):
        for place, _, names in os.walk(folder):
            files = (Path(place, name) for name in names)
            texts += [file.read_bytes() for file in files if file.is_file()]
    assert len(texts) > 100
    for canary in canaries.values():
        assert not any(canary.encode() in text for text in texts)
