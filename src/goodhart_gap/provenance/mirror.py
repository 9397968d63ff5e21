"""Copy what has been made to S3: every artifact that a manifest vouches for, then that manifest.

Large files are there already where a storage is configured; then their manifests are, too. What is
there with the same bytes is not sent again. Temporary files stay here.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json, write_json
from goodhart_gap.provenance.manifest import SUFFIX, Manifest, read_manifest
from goodhart_gap.storage.store import PART_BYTES, Remote, Store

RECORDS = "mirror"
"""The folder of results in which the rule `mirror` writes down what it did."""


@dataclass
class Mirrored:
    """What a mirror did."""

    sent: list[str] = field(default_factory=list)
    """Names of the files that were uploaded, relative to the folder of results."""
    sent_bytes: int = 0
    there: int = 0
    """Files that were there already."""


def mirror(results: Path, store: Store, folder: str = "") -> Mirrored:
    """Upload what is finished below `results`/`folder` and not on S3 yet."""
    done = Mirrored()
    remote = store.list(folder)
    for file, sha256 in _finished(results / folder):
        name = file.relative_to(results).as_posix()
        if _is_there(file, sha256, name, remote.get(name), store):
            done.there += 1
            continue
        store.upload(file, name, sha256)
        done.sent.append(name)
        done.sent_bytes += file.stat().st_size
    return done


def mirror_folder(prefix: str, patience_s: float, results: Path, folder: str, record: Path) -> None:
    """Mirror one folder and write down where to: the rule `mirror`."""
    done = mirror(results, Store(prefix, patience_s), folder)
    count = len(done.sent) + done.there
    write_json(record, {"prefix": prefix, "folder": folder, "files": count})


def mirrored_to(results: Path) -> str | None:
    """Return the prefix that the workflow has copied these results to; None where it has not."""
    for record in sorted((results / RECORDS).rglob("*.json")):
        if not record.name.endswith(SUFFIX):
            return str(read_json(record)["prefix"])
    return None


def _finished(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """Yield every artifact with its recorded SHA-256, and its manifest after it."""
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        artifact = path.with_name(path.name[: -len(SUFFIX)])
        try:
            manifest = read_manifest(path)
        except (FileNotFoundError, GoodhartError):
            continue  # Being made again just now, or broken: nothing vouches for the artifact.
        if artifact.is_file() and not manifest.output.temporary:
            if not _fits(artifact, manifest):
                continue
            yield artifact, manifest.output.sha256
        yield path, None


def _fits(artifact: Path, manifest: Manifest) -> bool:
    return artifact.stat().st_size == manifest.output.size_bytes


def _is_there(
    file: Path, sha256: str | None, name: str, remote: Remote | None, store: Store
) -> bool:
    """Whether the object has the file's bytes, as far as can be told without reading it."""
    if remote is None or remote.size_bytes != file.stat().st_size:
        return False
    if remote.size_bytes < PART_BYTES:
        if hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == remote.etag:
            return True
        sha256 = sha256 or hashlib.sha256(file.read_bytes()).hexdigest()
    found = store.look(name)
    return found is not None and sha256 is not None and found.sha256 == sha256
