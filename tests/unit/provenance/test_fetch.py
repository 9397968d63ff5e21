import hashlib
import shutil
from pathlib import Path

import pytest
from tests.servers.seaweed import BUCKET

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.fetch import fetch_results
from goodhart_gap.provenance.manifest import SUFFIX
from goodhart_gap.provenance.mirror import mirror
from goodhart_gap.provenance.verify import verify
from goodhart_gap.storage.store import Store


def test_copies_what_is_missing_and_leaves_the_rest_alone(finished):
    shutil.move("results", "elsewhere")
    own = Path("results/tasks.txt")
    own.parent.mkdir()
    own.write_text("mine")
    Path("elsewhere/.partial-1-x").write_text("left over")
    copies = fetch_results("elsewhere", Path("results"))
    assert Path("results/tables/counts.csv") in copies
    assert own not in copies
    assert own.read_text() == "mine"
    assert not list(Path("results").rglob(".*"))
    (found,) = verify(read_chain(Path("results"))).breaks
    assert found.path == "results/tasks.txt"
    assert fetch_results("elsewhere", Path("results")) == []


def test_copies_from_a_prefix_what_is_not_left_there(finished, s3):
    store = Store(f"{s3.prefix}/copies", patience_s=0)
    done = mirror(Path("results"), store)
    assert "tables/counts.csv" in done.sent
    assert not any("trace.txt" in name and SUFFIX not in name for name in done.sent)
    assert mirror(Path("results"), store).sent == []
    shutil.move("results", "elsewhere")
    leave = {"responses/42.txt"}
    copies = fetch_results(store.prefix, Path("results"), leave)
    assert len(copies) == len(done.sent) - 1
    (found,) = verify(read_chain(Path("results"))).breaks
    assert str(found) == ("results/responses/42.txt: is missing, though its manifest is here")


def test_what_lies_on_s3_is_compared_with_its_manifest(finished, s3):
    store = Store(f"{s3.prefix}/compared", patience_s=0)
    mirror(Path("results"), store)
    artifact, key = Path("results/responses/42.txt"), store.key("responses/42.txt")
    content = artifact.read_bytes()
    artifact.unlink()

    def breaks(*, full: bool = False) -> list[str]:
        found = verify(read_chain(Path("results")), store=store, full=full)
        assert found.remote_files == (not found.breaks)
        return [item.text.partition(" (")[0] for item in found.breaks]

    def put(body: bytes, **metadata: str) -> None:
        s3.client().put_object(Bucket=BUCKET, Key=key, Body=body, Metadata=metadata)

    digest = hashlib.sha256(content).hexdigest()
    flipped = bytes([content[0] ^ 1]) + content[1:]
    assert breaks() == breaks(full=True) == []
    put(content[:-1], sha256=digest)
    assert breaks() == [f"has {len(content) - 1} bytes on S3, recorded {len(content)}"]
    put(flipped)
    assert breaks() == ["was put on S3 by something else"]
    put(flipped, sha256=hashlib.sha256(flipped).hexdigest())
    assert breaks() == ["is another file on S3"]
    put(flipped, sha256=digest)
    assert breaks(full=True) == ["its bytes changed on S3"]
    store.remove("responses/42.txt")
    assert breaks() == ["is missing, though its manifest is here"]


def test_no_source_is_one_sentence(tmp_path, s3):
    with pytest.raises(GoodhartError, match="absent: no such folder"):
        fetch_results(str(tmp_path / "absent"), tmp_path / "results")
    with pytest.raises(GoodhartError, match="s3://goodhart/nothing-here: holds nothing"):
        fetch_results("s3://goodhart/nothing-here", tmp_path / "results")
    assert fetch_results("s3://goodhart/nothing-here", tmp_path / "results", empty=True) == []
