"""Copy what has been made to S3: every artifact that a manifest vouches for, then that manifest.

Large files are there already where a storage is configured; then their manifests are, too. What is
there with the same bytes is not sent again. Temporary files stay here.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json, write_json
from goodhart_gap.provenance.hashing import sha256_file
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


def mirror(results: Path, store: Store, folder: str = "", *, small: bool = False) -> Mirrored:
    """Upload what is finished below `results`/`folder` and not on S3 yet.

    Jobs may run meanwhile: what one of them takes away or makes again is left for the next time.
    `small` leaves files of `PART_BYTES` and more, with their manifests, as a run on S3 uploads them
    itself.
    """
    done = Mirrored()
    remote = store.list(folder)
    for manifest in _manifests(results / folder):
        try:
            for file, sha256 in _vouched(manifest, small):
                name, size = file.relative_to(results).as_posix(), file.stat().st_size
                if _is_there(file, sha256, name, remote.get(name), store):
                    done.there += 1
                elif _send(file, sha256, name, store):
                    done.sent.append(name)
                    done.sent_bytes += size
                else:
                    break  # Nor does its manifest describe what is on S3.
        except FileNotFoundError:
            continue
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


def _manifests(folder: Path) -> Iterator[Path]:
    """Yield every manifest below a folder; hidden files are ignored."""
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _vouched(path: Path, small: bool) -> Iterator[tuple[Path, str | None]]:
    """Yield an artifact with its recorded SHA-256, and its manifest after it, if it is finished."""
    artifact = path.with_name(path.name[: -len(SUFFIX)])
    try:
        manifest = read_manifest(path)
    except (FileNotFoundError, GoodhartError):
        return  # Being made again just now, or broken: nothing vouches for the artifact.
    if artifact.is_file() and not manifest.output.temporary:
        is_left = small and manifest.output.size_bytes >= PART_BYTES
        if is_left or not _fits(artifact, manifest):
            return
        yield artifact, manifest.output.sha256
    yield path, None


def _send(file: Path, sha256: str | None, name: str, store: Store) -> bool:
    """Upload a file; return False where it is not, or no longer, what its manifest says.

    A small file is copied and compared first: a job may make it again at any time, and what is on
    S3 must be what is said of it. Raises FileNotFoundError when it is gone.
    """
    if file.stat().st_size >= PART_BYTES:
        try:
            store.upload(file, name, sha256)
        except GoodhartError:
            file.stat()  # Gone while it was read, as Snakemake's local copies go: that is no fault.
            raise
        return True
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copyfile(file, Path(folder, "copy")))
        if sha256 is not None and sha256_file(copy) != sha256:
            return False
        store.upload(copy, name, sha256)
    return True


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
