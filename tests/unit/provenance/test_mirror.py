"""What is copied while jobs run: only what its manifest describes, whatever comes and goes."""

from pathlib import Path

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance import mirror as module
from goodhart_gap.provenance.manifest import SUFFIX
from goodhart_gap.provenance.mirror import mirror

RESULTS = Path("results")
TABLE = "tables/counts.csv"


class Objects:
    """A store that holds its objects in memory; `meanwhile` happens while a file is read."""

    def __init__(self, meanwhile=lambda name: None):
        self.bytes = {}
        self.meanwhile = meanwhile

    def list(self, folder):
        return {}

    def upload(self, file, name, sha256):
        self.meanwhile(name)
        if not file.exists():
            raise GoodhartError(f"{name}: no such file")
        self.bytes[name] = file.read_bytes()


def test_what_was_made_again_just_now_is_left_with_its_manifest(finished):
    table = RESULTS / TABLE
    table.write_bytes(bytes(reversed(table.read_bytes())))
    done = mirror(RESULTS, Objects())
    assert "responses/42.txt" in done.sent
    assert not {TABLE, TABLE + SUFFIX} & set(done.sent)


def test_a_file_that_a_job_replaces_while_it_is_sent_arrives_as_it_was(finished):
    table = RESULTS / TABLE
    before = table.read_bytes()
    store = Objects(lambda name: table.write_text("other") if name == TABLE else None)
    assert TABLE in mirror(RESULTS, store).sent
    assert store.bytes[TABLE] == before


@pytest.mark.parametrize("part_bytes", [1, 2**20])
def test_a_file_that_goes_is_passed_over(finished, monkeypatch, part_bytes):
    monkeypatch.setattr(module, "PART_BYTES", part_bytes)
    gone = RESULTS / "responses/42.txt"
    manifest = gone.with_name(gone.name + SUFFIX)

    def take_away(name):
        if name == "responses/42.txt" or part_bytes > 1:
            gone.unlink(missing_ok=True)
            manifest.unlink(missing_ok=True)

    done = mirror(RESULTS, Objects(take_away))
    assert TABLE in done.sent
    assert f"responses/42.txt{SUFFIX}" not in done.sent


def test_a_large_file_that_is_there_and_cannot_be_sent_is_an_error(finished, monkeypatch):
    monkeypatch.setattr(module, "PART_BYTES", 1)

    def refuse(name):
        raise GoodhartError("the bucket is full")

    with pytest.raises(GoodhartError, match="the bucket is full"):
        mirror(RESULTS, Objects(refuse))


def test_large_files_are_left_where_small_ones_are_asked_for(finished, monkeypatch):
    size = (RESULTS / TABLE).stat().st_size
    monkeypatch.setattr(module, "PART_BYTES", size)
    sent = mirror(RESULTS, Objects(), small=True).sent
    assert not {TABLE, TABLE + SUFFIX} & set(sent)
    assert TABLE in mirror(RESULTS, Objects()).sent
