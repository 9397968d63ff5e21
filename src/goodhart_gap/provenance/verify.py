"""Verify results: hash everything again, walk every chain, and name each break.

A break is named once, at the file that is wrong. The files made from it keep the hash of what they
were made from, so they are not blamed.
"""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from goodhart_gap.provenance.chain import Chain, Entry, artifact_of
from goodhart_gap.provenance.documents import (
    can_be_rendered,
    documents,
    rendered_otherwise,
    wrong_numbers,
)
from goodhart_gap.provenance.hashing import sha256_file
from goodhart_gap.provenance.manifest import InputRecord, Repository
from goodhart_gap.provenance.remote import RemoteFiles, compare
from goodhart_gap.storage.store import Store


@dataclass(frozen=True, order=True)
class Break:
    """One place where the chain does not hold."""

    path: str
    """The file that is wrong."""

    text: str
    """What is wrong with it."""

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


@dataclass
class Verification:
    """What was checked, and what does not hold."""

    breaks: list[Break] = field(default_factory=list)
    hashed_files: int = 0
    hashed_bytes: int = 0
    remote_files: int = 0
    """Artifacts on S3 that are as their manifests say."""
    remote_bytes: int = 0
    absent_temporary: int = 0
    """Temporary files that are gone, as they should be; their hashes are on record."""
    edges: int = 0
    """Inputs that were compared with what made them."""
    documents: int = 0
    """Documents whose numbers were compared with their tables."""
    rendered: int = 0
    """Documents that were rendered again."""


def verify(
    chain: Chain, *, render: bool = True, store: Store | None = None, full: bool = False
) -> Verification:
    """Hash every artifact of `chain`, check every edge between them, then the documents.

    `store`: where artifacts lie that are not here; they are compared by size and checksum, and with
    `full` by every byte.

    `render`: render each document again, where its code is the code that is here.
    """
    result = Verification()
    for path, reason in chain.broken.items():
        result.breaks.append(Break(str(path), reason))
    for path in chain.unrecorded:
        result.breaks.append(Break(str(path), "no manifest says how it was made"))
    hashes = _hash_all(chain, result)
    remote = _remote_files(chain, store, full=full)
    result.remote_files, result.remote_bytes = len(remote.whole), sum(remote.whole.values())
    for entry in chain.entries.values():
        if entry.path in remote.other:
            result.breaks.append(Break(str(entry.file), remote.other[entry.path]))
        elif entry.path not in remote.whole:
            result.breaks += _artifact_breaks(entry, hashes.get(entry.path), result)
    sources = _Sources()
    unsealed = {artifact_of(path) for path in chain.broken}
    for entry in chain.entries.values():
        for record in entry.manifest.inputs:
            result.edges += 1
            producer = chain.entries.get(record.path)
            if producer is not None:
                result.breaks += _edge_breaks(entry, record, producer)
            elif (file := chain.file(record.path)) in unsealed:
                result.breaks += _unsealed_breaks(entry, record, file, sources)
            else:
                result.breaks += _source_breaks(entry, record, file, sources)
    _check_documents(chain, result, render=render)
    result.breaks = _one_a_file(result.breaks)
    return result


def _check_documents(chain: Chain, result: Verification, *, render: bool) -> None:
    """Compare the documents with their tables, unless either is known to be wrong already."""
    wrong = {item.path for item in result.breaks}
    for entry in documents(chain):
        files = [entry.file, *(chain.file(record.path) for record in entry.manifest.inputs)]
        if wrong & {str(file) for file in files}:
            continue
        result.documents += 1
        found = list(wrong_numbers(chain, entry))
        if render and can_be_rendered(chain, entry):
            result.rendered += 1
            found += rendered_otherwise(chain, entry)
        result.breaks += [Break(str(entry.file), text) for text in found]


def _one_a_file(breaks: list[Break]) -> list[Break]:
    """Say the first thing that is wrong with each file, and how many more there are."""
    texts: dict[str, list[str]] = {}
    for item in breaks:
        texts.setdefault(item.path, []).append(item.text)
    return [
        Break(path, found[0] + (f" (and {len(found) - 1} more)" if found[1:] else ""))
        for path, found in sorted(texts.items())
    ]


def _hash_all(chain: Chain, result: Verification) -> dict[str, str]:
    """Return the SHA-256 of every artifact that is present, by logical path."""
    present = [entry for entry in chain.entries.values() if entry.file.is_file()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = list(pool.map(lambda entry: sha256_file(entry.file), present))
    result.hashed_files = len(present)
    result.hashed_bytes = sum(entry.file.stat().st_size for entry in present)
    return {entry.path: value for entry, value in zip(present, hashes, strict=True)}


def _remote_files(chain: Chain, store: Store | None, *, full: bool) -> RemoteFiles:
    """Look on S3 for the lasting artifacts that are not here."""
    if store is None:
        return RemoteFiles()
    absent = {
        entry.file.relative_to(chain.root).as_posix(): entry
        for entry in chain.entries.values()
        if not entry.file.is_file() and not entry.manifest.output.temporary
    }
    return compare(store, absent, full=full)


def _artifact_breaks(entry: Entry, found: str | None, result: Verification) -> Iterator[Break]:
    record = entry.manifest.output
    if found is None:
        if record.temporary:
            result.absent_temporary += 1
        else:
            yield Break(str(entry.file), "is missing, though its manifest is here")
    elif found != record.sha256:
        yield Break(
            str(entry.file),
            f"its bytes changed after it was made (sha256 {found[:12]}, recorded "
            f"{record.sha256[:12]})",
        )


def _edge_breaks(entry: Entry, record: InputRecord, producer: Entry) -> Iterator[Break]:
    """Compare an input, as `entry` recorded it, with what the input's own manifest says."""
    if record.sha256 not in producer.hashes():
        text = f"was made from another version of {record.path} than the one here"
        yield Break(str(entry.file), f"{text} (sha256 {record.sha256[:12]})")


def _unsealed_breaks(
    entry: Entry, record: InputRecord, file: Path, sources: "_Sources"
) -> Iterator[Break]:
    """Check an artifact whose own manifest is broken against what `entry` says of it."""
    if file.is_file() and sources.sha256(file) != record.sha256:
        yield Break(str(file), f"is not the version that {entry.path} was made from")


def _source_breaks(
    entry: Entry, record: InputRecord, file: Path, sources: "_Sources"
) -> Iterator[Break]:
    """Check a file that no job made."""
    if not sources.holds(file, record.sha256, entry.manifest.code.repository):
        state = "is not" if file.exists() else "is missing, and no commit here has"
        yield Break(record.path, f"{state} the version that {entry.path} was made from")


class _Sources:
    """Files that no job made: hashed once, and looked for in git where they have changed since."""

    def __init__(self) -> None:
        self._hashes: dict[Path, str] = {}
        self._blobs: dict[tuple[str, str], str | None] = {}

    def sha256(self, file: Path) -> str:
        if file not in self._hashes:
            self._hashes[file] = sha256_file(file)
        return self._hashes[file]

    def holds(self, file: Path, sha256: str, repository: Repository | None) -> bool:
        """Whether the file, or its version in the commit the job ran at, has this hash."""
        if file.is_file() and self.sha256(file) == sha256:
            return True
        if repository is None or file.is_absolute():
            return False
        key = (repository.commit, file.as_posix())
        if key not in self._blobs:
            self._blobs[key] = _sha256_in_git(*key)
        return self._blobs[key] == sha256


def _sha256_in_git(commit: str, path: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", "show", f"{commit}:./{path}"], capture_output=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return hashlib.sha256(result.stdout).hexdigest()
