"""Moving files to and from a real S3 server, and what becomes of each fault on the way."""

import logging
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.auth
import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.storage import store as store_module
from goodhart_gap.storage.store import Store
from tests.servers.s3_proxy import Action, on, times
from tests.servers.seaweed import BUCKET, KEY, SECRET, SeaweedFS

CONTENT = bytes(range(256)) * 2000
AGAIN = "trying again in 1 s"


@pytest.fixture
def prefix(s3: SeaweedFS, request: pytest.FixtureRequest) -> str:
    """A prefix of the test's own."""
    return f"{s3.prefix}/{request.node.name.partition('[')[0]}"


@pytest.fixture
def store(prefix: str) -> Store:
    """A store that waits until a server is back, however loaded the machine."""
    return Store(prefix, patience_s=300)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Half a megabyte."""
    path = tmp_path / "shard.safetensors"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Multipart uploads, and downloads by ranges, already for small files."""
    from boto3.s3.transfer import TransferConfig

    part = 5 * 2**20
    config = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=2)
    monkeypatch.setattr(store_module, "_transfer", lambda: config)


def test_what_goes_up_comes_down(store: Store, file: Path, tmp_path: Path) -> None:
    store.upload(file, "models/m/x.safetensors")
    found = store.list("models/m")
    assert {name: remote.size_bytes for name, remote in found.items()} == {
        "models/m/x.safetensors": len(CONTENT)
    }
    remote = store.look("models/m/x.safetensors")
    assert remote is not None
    assert remote.sha256 == store.sha256("models/m/x.safetensors")
    store.download("models/m/x.safetensors", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == CONTENT
    store.remove("models/m/x.safetensors")
    assert store.look("models/m/x.safetensors") is None


def test_a_large_file_goes_in_parts(
    store: Store, s3: SeaweedFS, small_parts: None, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(CONTENT * 24)
    store.upload(large, "large")
    assert s3.proxy.count("PUT", path="partNumber=") == 3
    store.download("large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == large.read_bytes()


def test_an_emptied_bucket_is_not_removed(store: Store, s3: SeaweedFS, file: Path) -> None:
    client = s3.client()
    client.create_bucket(Bucket="emptied")
    other = Store("s3://emptied", patience_s=0)
    other.upload(file, "only")
    other.remove("only")
    assert "emptied" in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}


def back_soon(server: SeaweedFS, caplog: pytest.LogCaptureFixture) -> threading.Thread:
    """Kill the server now, and start it again in a thread once the store says that it waits."""
    server.kill()

    def start() -> None:
        deadline = time.monotonic() + 120
        while AGAIN not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.05)
        server.start()

    thread = threading.Thread(target=start)
    thread.start()
    return thread


def test_a_server_killed_in_the_middle_of_an_upload(
    store: Store, s3: SeaweedFS, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    threads: list[threading.Thread] = []
    action = Action(upload_bytes=100_000, then=lambda: threads.append(back_soon(s3, caplog)))
    s3.proxy.fault = times(1, on("PUT", "shard", action))
    with caplog.at_level(logging.WARNING):
        remote = store.upload(file, "shard")
    threads[0].join()
    assert remote.size_bytes == len(CONTENT)
    assert store.sha256("shard") == remote.sha256
    assert AGAIN in caplog.text


def test_a_server_killed_in_the_middle_of_a_download(
    store: Store, s3: SeaweedFS, file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.upload(file, "shard")
    threads: list[threading.Thread] = []
    target = tmp_path / "back"

    def kill() -> None:
        assert not target.exists()
        threads.append(back_soon(s3, caplog))

    s3.proxy.fault = times(1, on("GET", "shard", Action(download_bytes=100_000, then=kill)))
    with caplog.at_level(logging.WARNING):
        store.download("shard", target)
    threads[0].join()
    assert target.read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_storm_of_503(store: Store, s3: SeaweedFS, file: Path, tmp_path: Path) -> None:
    storm = times(3, lambda request: Action(status=503, code="SlowDown"))
    s3.proxy.fault = storm
    store.upload(file, "shard")
    assert s3.proxy.count() > 4
    s3.proxy.fault = lambda request: Action(status=503, code="SlowDown")
    with pytest.raises(GoodhartError) as caught:
        Store(store.prefix, patience_s=2).download("shard", tmp_path / "back")
    start, _, end = str(caught.value).partition(" in ")
    assert start == (
        f"{store.prefix}/shard: the server is busy or failing (503), and did not recover"
    )
    assert re.fullmatch(r"\d+ s; run again when it is back\.", end)
    assert not (tmp_path / "back").exists()


def test_an_object_cut_off_on_the_server_is_not_taken_for_whole(
    store: Store, s3: SeaweedFS, file: Path, tmp_path: Path
) -> None:
    remote = store.upload(file, "shard")
    assert remote.sha256 is not None
    s3.client().put_object(
        Bucket=BUCKET,
        Key=store.key("shard"),
        Body=CONTENT[:-1],
        Metadata={"sha256": remote.sha256},
    )
    with pytest.raises(GoodhartError, match="other bytes arrived than were uploaded"):
        store.download("shard", tmp_path / "back")
    s3.client().put_object(Bucket=BUCKET, Key=store.key("shard"), Body=CONTENT[:-1])
    with pytest.raises(GoodhartError, match="is not the one its manifest describes"):
        store.download("shard", tmp_path / "back", remote.sha256)
    assert list(tmp_path.iterdir()) == [file]


def test_the_clock_of_this_machine_is_wrong(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tomorrow(remove_tzinfo: bool = True) -> datetime:
        now = datetime.now(UTC) + timedelta(days=1)
        return now.replace(tzinfo=None) if remove_tzinfo else now

    monkeypatch.setattr(botocore.auth, "get_current_datetime", tomorrow)
    with pytest.raises(GoodhartError) as caught:
        store.upload(file, "shard")
    assert "the clocks of this machine and of the server differ" in str(caught.value)
    assert "\n" not in str(caught.value)


MISTAKES = {
    "no bucket": ({}, "s3://no-such-bucket/x", "there is no bucket no-such-bucket; create it"),
    "wrong key": ({"AWS_ACCESS_KEY_ID": "canary-of-a-key"}, "", "(InvalidAccessKeyId)"),
    "wrong secret": ({"AWS_SECRET_ACCESS_KEY": "canary-secret"}, "", "(SignatureDoesNotMatch)"),
    "no address": ({"AWS_ENDPOINT_URL": "nonsense"}, "", "correct AWS_ENDPOINT_URL"),
    "nobody there": (
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        "",
        "the server cannot be reached (EndpointConnectionError), and did not recover in",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_that_names_no_secret(
    prefix: str, file: Path, tmp_path: Path, mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables, address, sentence = MISTAKES[mistake]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    attempts = {
        "list": lambda: Store(address or prefix, 0).list(),
        "look": lambda: Store(address or prefix, 0).look("shard"),
        "upload": lambda: Store(address or prefix, 0).upload(file, "shard"),
        "download": lambda: Store(address or prefix, 0).download("shard", tmp_path / "back"),
    }
    for attempt in attempts.values():
        with pytest.raises(GoodhartError) as caught:
            attempt()
        text = str(caught.value)
        assert text.startswith(address or prefix)
        assert sentence in text
        assert not any(secret in text for secret in (KEY, SECRET, "canary", "127.0.0.1"))
        assert "\n" not in text


def test_a_mistake_in_a_program_is_not_waited_for(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module.time, "sleep", lambda _: pytest.fail("it waited"))
    monkeypatch.setattr(store_module, "_transfer", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.upload(file, "x")


def test_a_request_counts_once(store: Store, s3: SeaweedFS, file: Path, tmp_path: Path) -> None:
    store.upload(file, "shard")
    assert s3.proxy.count("PUT") == s3.proxy.count("HEAD") == 1
    store.download("shard", tmp_path / "back")
    assert s3.proxy.count("GET") == 1
    assert s3.proxy.count() == 4
