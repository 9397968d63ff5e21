import importlib.resources
import json
from pathlib import Path

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.crate import write_crate
from goodhart_gap.provenance.hashing import sha256_file

# Terms that RO-Crate 1.1's context names otherwise than the 1.3 context that rocrate ships.
BIOSCHEMAS_1_1 = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}


class OfflineContext:
    """The answer to the validator's only request: RO-Crate's JSON-LD context."""

    status_code = 200
    headers = {"Content-Type": "application/ld+json"}  # noqa: RUF012

    def __init__(self) -> None:
        resource = importlib.resources.files("rocrate") / "data/ro-crate.jsonld"
        self.document = json.loads(resource.read_text())
        self.document["@context"] |= BIOSCHEMAS_1_1

    def json(self):
        return self.document


@pytest.fixture
def offline(monkeypatch):
    """The validator, served its context without a network."""
    from rocrate_validator.utils.http import HttpRequester

    def request(url: str, **_):
        assert url == "https://w3id.org/ro/crate/1.1/context"
        return OfflineContext()

    monkeypatch.setattr(HttpRequester, "__getattr__", lambda self, name: request)


def graph_of(crate: Path) -> dict[str, dict]:
    document = json.loads((crate / "ro-crate-metadata.json").read_text())
    return {entity["@id"]: entity for entity in document["@graph"]}


def make(clone, **options) -> Path:
    write_crate(read_chain(Path("results")), "tables", Path("crate"), workflow=Path(), **options)
    return Path("crate")


def test_the_validator_finds_no_fault(clone, offline):
    from rocrate_validator import models, services

    settings = services.ValidationSettings(
        rocrate_uri=str(make(clone)),
        profile_identifier="workflow-run-crate-0.5",
        requirement_severity=models.Severity.REQUIRED,
        skip_availability_check=True,
    )
    result = services.validate(settings)
    assert [issue.message for issue in result.get_issues()] == []


def test_carries_artifacts_manifests_and_hashes(clone):
    crate = make(clone)
    graph = graph_of(crate)
    for path in ("results/tables/counts.csv", "results/tasks.txt", "tasks.txt"):
        assert graph[path]["sha256"] == sha256_file(crate / path)
        assert sha256_file(crate / path) == sha256_file(Path(path))
    assert (crate / "results/traces/42.txt.prov.json").is_file()
    assert {item["@id"] for item in graph["#run"]["result"]} >= {"results/tables/counts.csv"}


def test_large_and_absent_files_are_named_by_hash_or_address(clone, monkeypatch):
    monkeypatch.setattr("goodhart_gap.provenance.crate.LARGE_BYTES", 12)
    graph = graph_of(make(clone, prefix="s3://bucket/run/"))
    address = "s3://bucket/run/tables/counts.csv"
    assert graph[address]["sha256"] == sha256_file(Path("results/tables/counts.csv"))
    assert not Path("crate/results/tables/counts.csv").exists()
    # Temporary files are never copied there.
    assert "s3://bucket/run/traces/42.txt" not in graph
    digest = read_chain(Path("results")).entries["results/traces/42.txt"].manifest.output.sha256
    assert digest in {entity.get("sha256") for entity in graph.values()}


def test_mistakes_are_one_sentence(clone):
    with pytest.raises(GoodhartError, match=r"absent: no such experiment in results; there are"):
        write_crate(read_chain(Path("results")), "absent", Path("crate"), workflow=Path())
    make(clone)
    with pytest.raises(GoodhartError, match="crate: exists already"):
        make(clone)
