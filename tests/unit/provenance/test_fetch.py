import shutil
from pathlib import Path

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.fetch import fetch_results
from goodhart_gap.provenance.verify import verify


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


def test_copies_from_a_prefix(finished, monkeypatch):
    shutil.move("results", "bucket-of-results")
    stored = Path("bucket-of-results")

    class Client:
        def get_paginator(self, name):
            assert name == "list_objects_v2"
            return self

        def paginate(self, **where):
            assert where == {"Bucket": "bucket", "Prefix": "some/run/"}
            files = sorted(path for path in stored.rglob("*") if path.is_file())
            for file in files:  # one object a page
                yield {"Contents": [{"Key": f"some/run/{file.relative_to(stored).as_posix()}"}]}

        def download_file(self, bucket, key, target):
            shutil.copyfile(stored / key.removeprefix("some/run/"), target)

    boto3 = pytest.importorskip("boto3")
    monkeypatch.setattr(boto3, "client", lambda *_, **__: Client())
    assert fetch_results("s3://bucket/some/run", Path("results"))
    assert verify(read_chain(Path("results"))).breaks == []


def test_no_source_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(GoodhartError, match="absent: no such folder"):
        fetch_results(str(tmp_path / "absent"), tmp_path / "results")
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(GoodhartError, match="s3://bucket/x: cannot be read"):
        fetch_results("s3://bucket/x", tmp_path / "results")
