"""Bring results here from where another clone left them: a folder, or a prefix on S3.

Files that are here already are left alone. Nothing is believed on the way: `adopt` hashes every
artifact against its manifest afterwards.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import completed


def fetch_results(source: str, results: Path) -> list[Path]:
    """Copy every file under `source` that `results` lacks; return the copies.

    `source` is a folder or `s3://bucket/prefix`. Raises GoodhartError if it is not there.
    """
    if source.startswith("s3://"):
        return _fetch_s3(source, results)
    folder = Path(source)
    if not folder.is_dir():
        raise GoodhartError(
            f"{source}: no such folder; give the folder or s3:// prefix of results."
        )
    copies = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        target = _target(file.relative_to(folder).as_posix(), results)
        if target is not None:
            with completed(target) as partial:
                shutil.copy2(file, partial)
            copies.append(target)
    return copies


def _target(name: str, results: Path) -> Path | None:
    """Return where a file goes; None for hidden ones and for those that are here already."""
    parts = PurePosixPath(name).parts
    target = results.joinpath(*parts)
    hidden = any(part.startswith(".") for part in parts)
    return None if hidden or target.exists() else target


def _fetch_s3(source: str, results: Path) -> list[Path]:
    try:
        import boto3  # only where S3 is used
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise GoodhartError(
            f"{source}: boto3 is not installed; run pip install 'goodhart-gap[s3]'."
        ) from error
    address = urlsplit(source)
    prefix = address.path.strip("/")
    prefix = f"{prefix}/" if prefix else ""
    copies = []
    try:
        client = boto3.client("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL") or None)
        for key in _keys(client, address.netloc, prefix):
            target = _target(key.removeprefix(prefix), results)
            if target is not None:
                with completed(target) as partial:
                    client.download_file(address.netloc, key, str(partial))
                copies.append(target)
    except (BotoCoreError, ClientError) as error:
        raise GoodhartError(f"{source}: cannot be read: {error}") from error
    return copies


def _keys(client: Any, bucket: str, prefix: str) -> Iterator[str]:
    pages: Iterable[Any] = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix
    )
    for page in pages:
        for item in page.get("Contents", []):
            if not item["Key"].endswith("/"):
                yield item["Key"]
