"""The chain of manifests under a folder of results: who was made from what.

An artifact is known by its logical path, the one its job was given ("results/x/tables/rates.csv"),
wherever the folder lies now, so that a chain can be walked in a copy of the results, too.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.manifest import SUFFIX, Manifest, read_manifest


@dataclass(frozen=True)
class Entry:
    """An artifact with its manifest."""

    manifest: Manifest
    file: Path
    """Where the artifact lies now (it may be absent: temporary, or on S3)."""

    @property
    def path(self) -> str:
        """The artifact's logical path."""
        return self.manifest.artifact

    def hashes(self) -> set[str]:
        """Return every SHA-256 the artifact is known to have had (temporary files: several)."""
        return {self.manifest.output.sha256} | {old.sha256 for old in self.manifest.earlier}


@dataclass
class Chain:
    """All manifests under `root`."""

    root: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    """Intact manifests by logical path."""

    broken: dict[Path, str] = field(default_factory=dict)
    """Manifest files that cannot be believed, and why."""

    unrecorded: list[Path] = field(default_factory=list)
    """Files without a manifest."""

    @cached_property
    def prefixes(self) -> tuple[Path, str]:
        """Where the results lie, and what the logical paths call that place."""
        for entry in self.entries.values():
            here, there = list(entry.file.parts), list(PurePosixPath(entry.path).parts)
            while here and there and here[-1] == there[-1]:
                here.pop()
                there.pop()
            return Path(*here), str(PurePosixPath(*there)) if there else ""
        return Path(), ""

    def logical(self, file: Path) -> str:
        """Return the logical path of a file that lies under the root."""
        here, there = self.prefixes
        return (PurePosixPath(there) / file.relative_to(here).as_posix()).as_posix()

    def file(self, path: str) -> Path:
        """Return where the file with this logical path lies now."""
        if path in self.entries:
            return self.entries[path].file
        here, there = self.prefixes
        pure = PurePosixPath(path)
        return (
            here / pure.relative_to(there) if there and pure.is_relative_to(there) else Path(path)
        )

    def producers(self, path: str) -> Iterator[Entry]:
        """Yield the entries that the artifact was made from directly."""
        for record in self.entries[path].manifest.inputs:
            if record.path in self.entries:
                yield self.entries[record.path]

    def ancestors(self, path: str) -> list[str]:
        """Return the artifact and all it was made from, nearest first, sources included."""
        found = dict.fromkeys([path])
        waiting = [path]
        while waiting:
            entry = self.entries.get(waiting.pop(0))
            for record in entry.manifest.inputs if entry else ():
                if record.path not in found:
                    found[record.path] = None
                    waiting.append(record.path)
        return list(found)


def read_chain(root: Path, *, empty: bool = False) -> Chain:
    """Read every manifest under `root`; hidden files are ignored.

    Raises GoodhartError if there is no such folder or no manifest in it, unless `empty` allows it.
    """
    if not root.is_dir() and not empty:
        raise GoodhartError(f"{root}: no such folder; give the folder of the results.")
    chain = Chain(root)
    manifests: list[Path] = []
    files: list[Path] = []
    for folder, names, found in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(found):
            if not name.startswith("."):
                (manifests if name.endswith(SUFFIX) else files).append(Path(folder, name))
    for path in manifests:
        try:
            manifest = read_manifest(path)
        except GoodhartError as error:
            chain.broken[path] = str(error).partition(": ")[2]
        else:
            chain.entries[manifest.artifact] = Entry(manifest, artifact_of(path))
    recorded = {artifact_of(path) for path in manifests}
    chain.unrecorded = [path for path in files if path not in recorded]
    if not manifests and not empty:
        raise GoodhartError(f"{root}: holds no manifest ({SUFFIX}); run the workflow first.")
    return chain


def artifact_of(manifest: Path) -> Path:
    """Return the file that a manifest file lies beside."""
    return manifest.with_name(manifest.name[: -len(SUFFIX)])
