"""Fetching from the hub, against a local server that answers as the hub does.

What this cannot show: redirects to the hub's storage, Xet transfers, gated repositories as the real
hub reports them.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub.constants
import pytest
import torch

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models import hub, ranges
from goodhart_gap.models.settings import ModelSettings
from goodhart_gap.models.sources import open_source
from goodhart_gap.models.tensor_files import read_header
from tests.tiny_models import write_tiny_checkpoint
from tests.unit.models.fetching import fetch_base, file_settings

REPOSITORY = "someone/tiny"
REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves the files of `folder` as one commit of one repository."""

    folder: Path

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.downloads: list[str] = []
        self.ranges: list[tuple[str, int, int]] = []
        """File, first byte and bytes sent of every range request."""
        self.break_off_after: int | None = None
        """Bytes of a range after which the connection is closed, once."""
        self.busy = 0
        """How many more range requests are answered 503."""
        self.empty = 0
        """How many more range requests are answered 206 without a byte."""
        self.tokens: set[str | None] = set()


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.serve(body=False)

    def do_GET(self) -> None:
        self.serve(body=True)

    def serve(self, body: bool) -> None:
        self.server.tokens.add(self.headers.get("Authorization"))
        path = urlsplit(self.path).path
        files = {file.name: file for file in self.server.folder.iterdir()}
        prefix = f"/{REPOSITORY}/resolve/{REVISION}/"
        if path.startswith(f"/api/models/{REPOSITORY}/tree/{REVISION}"):
            rows = [
                {"type": "file", "path": name, "size": file.stat().st_size, "oid": "0" * 40}
                for name, file in files.items()
            ]
            self.answer(json.dumps(rows).encode(), "application/json", body)
        elif path == f"/api/models/{REPOSITORY}/revision/{REVISION}":
            info = {
                "id": REPOSITORY,
                "sha": REVISION,
                "siblings": [{"rfilename": n} for n in files],
            }
            self.answer(json.dumps(info).encode(), "application/json", body)
        elif path.startswith(prefix) and path.removeprefix(prefix) in files:
            name = path.removeprefix(prefix)
            if body and "Range" in self.headers:
                self.answer_range(name, files[name].read_bytes())
                return
            if body:
                self.server.downloads.append(name)
            self.answer(files[name].read_bytes(), "application/octet-stream", body)
        elif path.startswith((prefix, f"/api/models/{REPOSITORY}/")):
            known = path.startswith(prefix)
            self.refuse("EntryNotFound" if known else "RevisionNotFound")
        else:
            self.refuse("RepoNotFound")

    def answer(self, content: bytes, kind: str, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        if body:
            self.wfile.write(content)

    def answer_range(self, name: str, content: bytes) -> None:
        if self.server.busy:
            self.server.busy -= 1
            self.send_error(503)
            return
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        part = content[int(first) : int(last) + 1]
        end = int(first) + len(part) - 1
        if self.server.empty:
            self.server.empty -= 1
            part = b""
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{end}/{len(content)}")
        self.end_headers()
        if self.server.break_off_after is not None:
            part = part[: self.server.break_off_after]
            self.server.break_off_after = None
            self.close_connection = True
        self.server.ranges.append((name, int(first), len(part)))
        self.wfile.write(part)

    def refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    return write_tiny_checkpoint(
        folder, "qwen2", blocks=2, dtype=torch.float32, max_shard_size="40KB"
    )


@pytest.fixture
def served(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    server.folder = checkpoint
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(ranges, "FIRST_BYTES", 64)  # the test's weights are small, too
    monkeypatch.setattr(ranges, "GAP_BYTES", 0)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    yield server
    server.shutdown()


def settings(**changes: Any) -> ModelSettings:
    values = {"source": f"hf:{REPOSITORY}", "revision": REVISION, "blocks": 2}
    return ModelSettings.model_validate(
        values | {"blocks_per_shard": 1, "dtype": "float32"} | changes
    )


def test_the_checkpoint_is_the_one_that_is_served(
    served: Hub, checkpoint: Path, tmp_path: Path
) -> None:
    from_hub = fetch_base(settings(), tmp_path / "hub")
    from_folder = fetch_base(file_settings(checkpoint), tmp_path / "folder")
    assert from_hub == from_folder
    assert len(served.downloads) == len(set(served.downloads)), "a file was downloaded twice"


def block_tensors(checkpoint: Path, block: int) -> dict[str, str]:
    """Return the tensors of a block with the file each is in."""
    index = json.loads((checkpoint / "model.safetensors.index.json").read_text())["weight_map"]
    return {name: file for name, file in index.items() if f".layers.{block}." in name}


def test_only_the_bytes_of_the_shard_are_transferred(served: Hub, checkpoint: Path) -> None:
    wanted = block_tensors(checkpoint, 1)
    source = open_source(settings())
    assert not served.ranges
    tensors = source.read(list(wanted))
    assert tensors.keys() == wanted.keys()
    assert {name for name, _, _ in served.ranges} == set(wanted.values())
    assert not [name for name in served.downloads if name.endswith(".safetensors")]
    weights = sum(tensor.nbytes for tensor in tensors.values())
    headers = sum(read_header(checkpoint / file).start for file in set(wanted.values()))
    assert sum(size for _, _, size in served.ranges) == weights + headers


def test_a_connection_that_breaks_off_goes_on_where_it_stopped(
    served: Hub, checkpoint: Path
) -> None:
    wanted = list(block_tensors(checkpoint, 0))
    source = open_source(settings())
    served.break_off_after = 20  # in the middle of the first header
    served.busy = 2
    tensors = source.read(wanted)
    expected = open_source(file_settings(checkpoint)).read(wanted)
    assert all(torch.equal(tensors[name], expected[name]) for name in wanted)
    sent = [(name, first) for name, first, _ in served.ranges]
    assert len(sent) == len(set(sent)), "bytes were sent twice"


def test_a_server_that_stays_away_is_one_sentence(served: Hub, checkpoint: Path) -> None:
    source = open_source(settings())
    served.busy = 1000
    with pytest.raises(GoodhartError, match=r"cannot be reached \(status 503\)"):
        source.read(list(block_tensors(checkpoint, 0)))


def test_empty_answers_are_failed_tries(served: Hub, checkpoint: Path) -> None:
    wanted = list(block_tensors(checkpoint, 0))
    served.empty = 3
    tensors = open_source(settings()).read(wanted)
    expected = open_source(file_settings(checkpoint)).read(wanted)
    assert all(torch.equal(tensors[name], expected[name]) for name in wanted)
    served.empty = 100
    with pytest.raises(GoodhartError, match=r"cannot be reached \(empty answer\)"):
        open_source(settings()).read(wanted)
    assert served.empty > 90


def test_weights_in_the_cache_are_read_from_there(served: Hub, checkpoint: Path) -> None:
    source = open_source(settings())
    wanted = block_tensors(checkpoint, 0)
    for file in set(wanted.values()):
        assert source.find(file)
    assert source.read(list(wanted)).keys() == wanted.keys()
    assert not served.ranges


def test_a_checkpoint_of_one_file_needs_no_index(served: Hub, tmp_path: Path) -> None:
    served.folder = write_tiny_checkpoint(tmp_path / "whole", "qwen2", blocks=2)
    source = open_source(settings())
    (tensor,) = source.read(["model.layers.1.mlp.up_proj.weight"]).values()
    assert tensor.dtype == torch.bfloat16
    assert not [name for name in served.downloads if name.endswith(".safetensors")]


def test_the_token_is_sent_and_never_logged(
    served: Hub, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        open_source(settings())
    assert "Bearer hf_secret" in served.tokens
    out, err = capfd.readouterr()
    assert "hf_secret" not in caplog.text + out + err


def test_a_commit_that_is_not_there_is_named(served: Hub) -> None:
    with pytest.raises(GoodhartError, match=f"no commit {'a' * 40}; correct `revision`"):
        open_source(settings(revision="a" * 40))


def test_a_repository_that_is_not_there_is_named(served: Hub) -> None:
    with pytest.raises(GoodhartError, match=r"hf:nobody/nothing.*no such repository"):
        open_source(settings(source="hf:nobody/nothing"))


def test_no_network_is_one_sentence(served: Hub) -> None:
    served.shutdown()
    served.server_close()
    with pytest.raises(GoodhartError, match="the Hugging Face hub cannot be reached") as refused:
        open_source(settings())
    assert "\n" not in str(refused.value)


def test_the_network_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    monkeypatch.setattr(hub.time, "sleep", lambda seconds: None)
    tried = []

    def flaky() -> str:
        tried.append(1)
        if len(tried) < 3:
            raise LocalEntryNotFoundError("offline")
        return "file"

    assert hub._retried(flaky) == "file"
