"""The objects under one S3 prefix: list, look at, upload, download, remove.

    store = Store("s3://bucket/prefix")
    store.upload(Path("results/models/m/base/x.safetensors"), "models/m/base/x.safetensors")

An upload carries the SHA-256 of its bytes as metadata and is looked at afterwards; a download goes
to a temporary name, is compared with that SHA-256 (or with the one a manifest names), and only then
gets its own. So nothing partial is ever taken for whole. While the server does not answer or is
busy, a request is repeated for `patience_s`; what waiting cannot help is raised at once. Endpoint,
region and credentials come from the environment: the variables of AWS, or those of Snakemake's S3
plugin.
"""

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import completed

LOG = logging.getLogger(__name__)

PATIENCE_S = 300.0
LONGEST_WAIT_S = 15.0
PART_BYTES = 64 * 2**20
"""Larger files go up in parts of this size: S3 takes no object over 5 GB in one piece, and no
more than 10,000 parts."""

AT_ONCE = 8
"""Requests at a time, where there are many objects."""

DAMAGED_TIMES = 3
"""How often an object that arrives damaged is moved again."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Remote:
    """An object as the server describes it."""

    size_bytes: int
    sha256: str | None
    """SHA-256 that was uploaded with it; None in listings, and where it was uploaded otherwise."""
    modified_s: float
    etag: str
    """What the server makes of its bytes: of an upload in one piece, their MD5."""


class Store:
    """The objects under a prefix, named relative to it. Raises GoodhartError, in one sentence."""

    def __init__(self, prefix: str, patience_s: float = PATIENCE_S, client: Any = None) -> None:
        address = urlsplit(prefix)
        if address.scheme != "s3" or not address.netloc:
            raise GoodhartError(f"{prefix}: not an address on S3; write s3://bucket/prefix.")
        self.prefix = prefix.rstrip("/")
        self.bucket = address.netloc
        self._root = address.path.strip("/")
        self._patience_s = patience_s
        self._is_bucket_there = False
        self._given = client

    @cached_property
    def _client(self) -> Any:
        """The client: made when it is needed, so that what is all here needs none."""
        return self._given if self._given is not None else self._patiently("", open_client)

    def key(self, name: str) -> str:
        """Return the key of an object of this name."""
        return f"{self._root}/{name}".strip("/")

    def list(self, folder: str = "") -> dict[str, Remote]:
        """Return every object below a folder, by name: a request for 1,000 objects."""
        below = f"{self.key(folder)}/" if self.key(folder) else ""
        skip = len(self._root) + 1 if self._root else 0

        def ask() -> dict[str, Remote]:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=below
            )
            items = (item for page in pages for item in page.get("Contents", []))
            return {
                item["Key"][skip:]: Remote(
                    item["Size"], None, item["LastModified"].timestamp(), item["ETag"].strip('"')
                )
                for item in items
                if not item["Key"].endswith("/")
            }

        return self._patiently(folder, ask)

    def look(self, name: str) -> Remote | None:
        """Return what the server says of an object; None if there is none."""
        return self._patiently(name, lambda: self._head(name))

    def upload(self, file: Path, name: str, sha256: str | None = None) -> Remote:
        """Upload a file, whole or not at all; `sha256`, where it is known already, is believed."""
        digest = sha256 or _sha256(file)
        size = file.stat().st_size

        def put() -> None:
            with file.open("rb") as handle:
                self._client.upload_fileobj(
                    handle,
                    self.bucket,
                    self.key(name),
                    ExtraArgs={"Metadata": {"sha256": digest}},
                    Config=_transfer(),
                )

        for _ in range(DAMAGED_TIMES):
            self._patiently(name, put)
            found = self.look(name)
            if found is not None and (found.size_bytes, found.sha256) == (size, digest):
                return found
        raise GoodhartError(
            f"{self.prefix}/{name}: the uploaded object is not the file, {DAMAGED_TIMES} times; "
            "look after the server."
        )

    def download(self, name: str, file: Path, sha256: str | None = None) -> None:
        """Download an object to `file`, atomically; its SHA-256 must be `sha256` where given, else
        the one it was uploaded with.
        """

        def get() -> None:
            found = self._head(name)
            if found is None:
                raise GoodhartError(f"{self.prefix}/{name}: there is no such object.")
            expected = sha256 or found.sha256
            with completed(file) as partial:
                with partial.open("wb") as handle:
                    self._client.download_fileobj(
                        self.bucket, self.key(name), handle, Config=_transfer()
                    )
                size = partial.stat().st_size
                if size != found.size_bytes:
                    raise _damaged(f"{size} of {found.size_bytes} bytes arrived")
                if expected is not None and _sha256(partial) != expected:
                    if found.sha256 != expected:
                        raise GoodhartError(
                            f"{self.prefix}/{name}: the object is not the one its manifest "
                            "describes; delete it and run again, or bring the right one back."
                        )
                    raise _damaged("other bytes arrived than were uploaded")

        self._patiently(name, get)

    def download_all(self, files: Mapping[str, Path]) -> None:
        """Download many objects, by name, several at a time."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda item: self.download(*item), files.items()))

    def look_all(self, names: Iterable[str]) -> dict[str, Remote | None]:
        """Return what the server says of many objects, by name."""
        names = list(names)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(zip(names, pool.map(self.look, names), strict=True))

    def sha256(self, name: str) -> str:
        """Read a whole object and return the SHA-256 of its bytes; nothing is written."""

        def read() -> str:
            digest = hashlib.sha256()
            answer = self._client.get_object(Bucket=self.bucket, Key=self.key(name))
            for block in answer["Body"].iter_chunks(2**20):
                digest.update(block)
            return digest.hexdigest()

        return self._patiently(name, read)

    def remove(self, name: str) -> None:
        """Remove an object; never a bucket, however empty."""
        self._patiently(
            name, lambda: self._client.delete_object(Bucket=self.bucket, Key=self.key(name))
        )

    def _head(self, name: str) -> Remote | None:
        from botocore.exceptions import ClientError

        try:
            answer = self._client.head_object(Bucket=self.bucket, Key=self.key(name))
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status in (403, 404) and not self._is_bucket_there:
                # An answer to HEAD has no body, hence no reason; an answer to this has: it may be
                # the bucket that is not there.
                self._client.list_objects_v2(Bucket=self.bucket, MaxKeys=1)
                self._is_bucket_there = True
            if status == 404:
                return None
            raise
        modified = answer["LastModified"].timestamp()
        return Remote(
            answer["ContentLength"],
            answer["Metadata"].get("sha256"),
            modified,
            answer["ETag"].strip('"'),
        )

    def _patiently(self, name: str, action: Callable[[], _T]) -> _T:
        """Return what `action` returns, repeating it while waiting may help."""
        place = f"{self.prefix}/{name}".rstrip("/")
        started = time.monotonic()
        damaged = 0
        for wait_s in _waits():
            try:
                return action()
            except GoodhartError:
                raise
            except Exception as error:
                from goodhart_gap.storage.faults import understand

                fault = understand(error, self.bucket)
                if fault is None:
                    raise
                damaged += fault.damaged
                if not fault.passing or damaged == DAMAGED_TIMES:
                    raise GoodhartError(f"{place}: {fault.sentence}.") from None
                spent_s = time.monotonic() - started
                if spent_s + wait_s > self._patience_s:
                    text = f"{place}: {fault.sentence}, and did not recover in {spent_s:.0f} s"
                    raise GoodhartError(f"{text}; run again when it is back.") from None
                LOG.warning("%s: %s; trying again in %.0f s", place, fault.sentence, wait_s)
                time.sleep(wait_s)
        raise AssertionError("waits never end")


def open_client() -> Any:
    """Return a boto3 client that the environment describes."""
    return open_resource().meta.client


def open_resource() -> Any:
    """Return a boto3 resource that the environment describes.

    `AWS_ENDPOINT_URL`, `AWS_DEFAULT_REGION` (or `AWS_REGION`), `AWS_ACCESS_KEY_ID`,
    `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, whatever else boto3 looks at, and
    `SNAKEMAKE_STORAGE_S3_*`, which go first.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise GoodhartError(
            "boto3 is not installed, and S3 is not reached without it; "
            "run pip install 'goodhart-gap[s3]'."
        ) from error
    # One retry of its own: what is worth a longer wait is decided, and said, by Store. Checksums
    # in trailers are refused by some servers that are not Amazon's; ours are metadata.
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"total_max_attempts": 2, "mode": "standard"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=16,
    )
    return boto3.Session().resource(
        "s3",
        endpoint_url=_variable("SNAKEMAKE_STORAGE_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL"),
        region_name=_variable("SNAKEMAKE_STORAGE_S3_REGION", "AWS_DEFAULT_REGION", "AWS_REGION")
        or "us-east-1",
        aws_access_key_id=_variable("SNAKEMAKE_STORAGE_S3_ACCESS_KEY"),
        aws_secret_access_key=_variable("SNAKEMAKE_STORAGE_S3_SECRET_KEY"),
        aws_session_token=_variable("SNAKEMAKE_STORAGE_S3_TOKEN"),
        config=config,
    )


def _variable(*names: str) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


def _waits() -> Iterator[float]:
    wait_s = 1.0
    while True:
        yield wait_s
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _transfer() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(
        multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=4
    )


def _damaged(text: str) -> Exception:
    from goodhart_gap.storage.faults import DamagedObjectError

    return DamagedObjectError(text)
