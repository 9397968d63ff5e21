"""Snakemake's S3 storage plugin, taught what the workflow knows about its own large files.

Registered by rules/common.smk when `storage:` is configured. What differs from the plugin:

- The local copy of an object lies where the file would lie without a storage, so that commands,
  manifests and code are the same with and without one.
- One listing of a model's folder tells which of its objects exist. An object whose size is not the
  one in its manifest is not there: it was cut off.
- The modification time of an object is the one in its manifest; no server's clock counts.
- `goodhart_gap.storage.store` moves it: checked, patient, in one sentence where it fails.
- A manifest travels with its object.
- No bucket is made or removed.
"""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_storage_plugins.settings import StorageProviderSettingsBase
from snakemake_storage_plugin_s3 import StorageObject as S3Object
from snakemake_storage_plugin_s3 import StorageProvider as S3Provider

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.manifest import SUFFIX, OutputRecord, manifest_path, read_manifest
from goodhart_gap.provenance.remote import modified_ns
from goodhart_gap.storage.store import PATIENCE_S, Remote, Store, open_resource

NAME = "snakemake_storage_plugin_goodhart"
"""What Snakemake would call a package that is this plugin."""

FRESH_S = 1.0
"""How long an object that was not listed counts as absent without asking again."""

_T = TypeVar("_T")


@dataclass
class StorageProviderSettings(StorageProviderSettingsBase):
    """What the workflow tells the plugin."""

    prefix: str = field(default="", metadata={"help": "Prefix on S3"})
    results: str = field(default="results", metadata={"help": "Folder it stands for"})
    patience_s: float = field(default=PATIENCE_S, metadata={"help": "Seconds to wait for S3"})


class StorageProvider(S3Provider):
    """The plugin's provider, its client made from the environment by our rules."""

    def __post_init__(self) -> None:
        self.s3c = _in_a_sentence(open_resource)
        self.store = _in_a_sentence(
            lambda: Store(self.settings.prefix, self.settings.patience_s, self.s3c.meta.client)
        )
        self._seen: dict[str, Remote] = {}
        self._listed: dict[str, float] = {}

    def look(self, name: str) -> Remote | None:
        """Return what the server says of an object; None if there is none.

        Snakemake asks for one object after the other, and for the same ones again while it runs:
        what has been there once is not asked for again, and all objects of a model are asked for
        together, at most once in `FRESH_S`.
        """
        folder = "/".join(name.split("/")[:2])
        age_s = time.monotonic() - self._listed.get(folder, -math.inf)
        if name not in self._seen and age_s > FRESH_S:
            self._seen |= _in_a_sentence(lambda: self.store.list(folder))
            self._listed[folder] = time.monotonic()
        return self._seen.get(name)

    def saw(self, name: str, remote: Remote | None) -> None:
        """Remember an object that was uploaded here, or (None) removed."""
        self._seen.pop(name, None)
        if remote is not None:
            self._seen[name] = remote


class StorageObject(S3Object):
    """A large file: an object on S3, and its local copy."""

    def __post_init__(self) -> None:
        self.bucket = self.provider.store.bucket

    @property
    def name(self) -> str:
        """The object's name below the prefix (wildcards in it, until they are filled in)."""
        return str(self.query).removeprefix(f"{self.provider.store.prefix}/")

    @property
    def key(self) -> str:
        """The object's key in the bucket."""
        return self.provider.store.key(self.name)

    def local_path(self) -> Path:
        """Return where the local copy lies: where the file would lie without a storage."""
        return Path(self.provider.settings.results, self.name)

    def local_suffix(self) -> str:
        """Return the same below the folder of results."""
        return self.name

    def cache_key(self, local_suffix: str | None = None) -> str:
        """Return the key of this object (or of another one) in Snakemake's cache."""
        return str(Path(self.provider.settings.results, local_suffix or self.name))

    def get_inventory_parent(self) -> None:
        """Return None: Snakemake's own inventory, which few files reach, is not used."""

    async def inventory(self, cache: Any) -> None:
        """Do nothing: the provider's `look` asks for all objects of a model at once."""

    def exists(self) -> bool:
        """Whether the object is there, and whole as far as its size tells."""
        record = self._record(self.local_path())
        found = self.provider.look(self.name)
        if found is not None and record is not None and found.size_bytes != record.size_bytes:
            # Another process may have made it again since: this is not to be remembered.
            self.provider.saw(self.name, None)
            found = self.provider.look(self.name) or found
        if found is None:
            return False
        if record is None or record.size_bytes == found.size_bytes:
            return True
        self.provider.logger.warning(
            f"{self.query}: has {found.size_bytes} bytes where its manifest says "
            f"{record.size_bytes}; it is taken as absent and made again."
        )
        return False

    def mtime(self) -> float:
        """Return when its job had made it (s since 1970); without a manifest, what S3 says."""
        record = self._record(self.local_path())
        if record is None:
            return self._look().modified_s
        return modified_ns(self.local_path(), record) / 1e9

    def size(self) -> int:
        """Return its size in bytes."""
        record = self._record(self.local_path())
        return record.size_bytes if record else self._look().size_bytes

    def retrieve_object(self) -> None:
        """Download it, checked, and give it the time its manifest names."""
        record = self._record(self.local_path())
        expected = record.sha256 if record else None
        path = self.local_path()
        _in_a_sentence(lambda: self.provider.store.download(self.name, path, expected))
        if record is not None:
            time_ns = modified_ns(path, record)
            os.utime(path, ns=(time_ns, time_ns))

    def store_object(self) -> None:
        """Upload it, checked, then its manifest."""
        path = self.local_path()
        record = self._record(path)
        status = path.stat()
        fits = record is not None and (record.size_bytes, record.modified_ns) == (
            status.st_size,
            status.st_mtime_ns,
        )
        digest = record.sha256 if record is not None and fits else None
        store, manifest = self.provider.store, manifest_path(path)
        self.provider.saw(self.name, _in_a_sentence(lambda: store.upload(path, self.name, digest)))
        if manifest.is_file():
            _in_a_sentence(lambda: store.upload(manifest, self.name + SUFFIX))

    def remove(self) -> None:
        """Remove it. Its manifest stays, as it does for a temporary file on disk."""
        self.provider.saw(self.name, None)
        _in_a_sentence(lambda: self.provider.store.remove(self.name))

    def _look(self) -> Remote:
        found = self.provider.look(self.name)
        if found is None:
            raise WorkflowError(f"{self.query}: there is no such object.")
        return found

    def _record(self, path: Path) -> OutputRecord | None:
        """Return what the manifest says of it; None where there is none, or none to be believed."""
        try:
            return read_manifest(manifest_path(path)).output
        except (FileNotFoundError, GoodhartError):
            return None


def _in_a_sentence(action: Callable[[], _T]) -> _T:
    """Return what `action` returns; what goes wrong becomes Snakemake's kind of error."""
    try:
        return action()
    except GoodhartError as error:
        raise WorkflowError(str(error)) from None


def register() -> None:
    """Tell Snakemake of the plugin, under the name `goodhart`. Safe to call twice."""
    import sys

    from snakemake_interface_storage_plugins.registry import StoragePluginRegistry

    StoragePluginRegistry().register_plugin(NAME, sys.modules[__name__])
