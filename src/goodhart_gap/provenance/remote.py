"""Compare what lies on S3 with the manifests of it: by size and checksum, or by every byte."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from goodhart_gap.files import read_json, write_json
from goodhart_gap.provenance.chain import Entry
from goodhart_gap.provenance.manifest import OutputRecord
from goodhart_gap.storage.store import AT_ONCE, Remote, Store

TIME_SUFFIX = ".adopted.json"
"""What `.{artifact}` adds to its name for the time that `adopt` has given it."""


@dataclass
class RemoteFiles:
    """What was found on S3, by logical path; empty where no storage is configured."""

    absent: set[str] = field(default_factory=set)
    """Artifacts that are not there."""

    other: dict[str, str] = field(default_factory=dict)
    """Artifacts that are there with other bytes, and how that shows."""

    whole: dict[str, int] = field(default_factory=dict)
    """Size of each artifact that is there as its manifest says."""


def compare(store: Store, entries: Mapping[str, Entry], *, full: bool = False) -> RemoteFiles:
    """Compare the objects of `entries`, by name, with their manifests.

    Size and the SHA-256 that each was uploaded with are asked for, one request an object; `full`
    reads every byte, too.
    """
    found = RemoteFiles()
    for name, remote in store.look_all(entries).items():
        path, record = entries[name].path, entries[name].manifest.output
        if remote is None:
            found.absent.add(path)
        elif text := _difference(record, remote):
            found.other[path] = text
        else:
            found.whole[path] = record.size_bytes
    if full:
        _read_all(store, {n: e for n, e in entries.items() if e.path in found.whole}, found)
    return found


def _difference(record: OutputRecord, remote: Remote) -> str | None:
    if remote.size_bytes != record.size_bytes:
        return f"has {remote.size_bytes} bytes on S3, recorded {record.size_bytes}"
    if remote.sha256 is None:
        return f"was put on S3 by something else (no checksum, recorded {record.sha256[:12]})"
    if remote.sha256 != record.sha256:
        return f"is another file on S3 (sha256 {remote.sha256[:12]}, recorded {record.sha256[:12]})"
    return None


def _read_all(store: Store, entries: Mapping[str, Entry], found: RemoteFiles) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        digests = pool.map(store.sha256, entries)
        for entry, digest in zip(entries.values(), digests, strict=True):
            recorded = entry.manifest.output.sha256
            if digest != recorded:
                del found.whole[entry.path]
                found.other[entry.path] = (
                    f"its bytes changed on S3 (sha256 {digest[:12]}, recorded {recorded[:12]})"
                )


def remember_time(file: Path, sha256: str, modified_ns: int) -> None:
    """Give the artifact on S3 that belongs at `file` another time than its manifest says."""
    write_json(_note(file), {"sha256": sha256, "modified_ns": modified_ns})


def modified_ns(file: Path, record: OutputRecord) -> int:
    """Return when the artifact on S3 that belongs at `file` was modified (ns since 1970)."""
    try:
        note = read_json(_note(file))
    except FileNotFoundError:
        return record.modified_ns
    return int(note["modified_ns"]) if note["sha256"] == record.sha256 else record.modified_ns


def _note(file: Path) -> Path:
    return file.with_name(f".{file.name}{TIME_SUFFIX}")
