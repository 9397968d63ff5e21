"""An `hf:` source: a repository of the Hugging Face hub at a pinned commit.

Configuration and tokenizer go through the user's own Hugging Face cache. Weights do not: of each
file only the byte ranges of the wanted tensors are transferred, into memory, so that no machine
needs room for a whole checkpoint; a file that is in the cache already is read from there. A token
in the environment (`HF_TOKEN`) is used by huggingface_hub itself; nothing here reads or prints it.
"""

import logging
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download, hf_hub_url, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.folder import INDEX, SINGLE, FolderSource, first_line
from goodhart_gap.models.ranges import RemoteWeights

log = logging.getLogger(__name__)

METADATA = ("*.json", "*.jinja", "*.model", "*.txt")
"""What a tokenizer or configuration may be made of; weights are fetched one file at a time."""


class HubSource(FolderSource):
    """A checkpoint folder whose files, and parts of weight files, come when they are asked for."""

    def __init__(self, repository: str, revision: str) -> None:
        self.repository = repository
        self.revision = revision
        self._opened: dict[str, RemoteWeights] = {}
        super().__init__(self._metadata_folder())

    @property
    def label(self) -> str:
        """The repository and the commit."""
        return f"hf:{self.repository}@{self.revision[:12]}"

    def find(self, name: str) -> Path | None:
        """Return the local path of a file, downloading it first; None when the commit has none."""
        path = self.folder / name
        if path.exists():
            return path
        try:
            return Path(_retried(hf_hub_download, self.repository, name, revision=self.revision))
        except LocalEntryNotFoundError as error:
            raise self._unreachable(error) from error
        except EntryNotFoundError:
            return None
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error

    def read(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Return those of the named weights that are there; only their bytes are transferred."""
        tensors: dict[str, torch.Tensor] = {}
        for file, wanted in self._by_file(names):
            if (self.folder / file).exists():
                tensors |= super().read(wanted)
                continue
            tensors |= self._remote(file).read(wanted)
        return tensors

    def _tensor_files(self) -> dict[str, str]:
        if self._files is None and self.find(INDEX) is None and not (self.folder / SINGLE).exists():
            self._files = dict.fromkeys(self._remote(SINGLE).tensors, SINGLE)
        return super()._tensor_files()

    def _remote(self, file: str) -> RemoteWeights:
        if file not in self._opened:
            url = hf_hub_url(self.repository, file, revision=self.revision)
            self._opened[file] = RemoteWeights(url, build_hf_headers(), f"{self.label}, {file}")
        return self._opened[file]

    def _metadata_folder(self) -> Path:
        try:
            return Path(
                _retried(
                    snapshot_download,
                    self.repository,
                    revision=self.revision,
                    allow_patterns=list(METADATA),
                    ignore_patterns=["*/*"],
                )
            )
        except GatedRepoError as error:
            raise GoodhartError(
                f"{self.label}: access needs its owner's consent; accept the terms on the hub and "
                "set HF_TOKEN."
            ) from error
        except RevisionNotFoundError as error:
            raise GoodhartError(
                f"{self.label}: the repository has no commit {self.revision}; correct `revision`."
            ) from error
        except (RepositoryNotFoundError, HFValidationError) as error:
            raise GoodhartError(
                f"{self.label}: no such repository, or a private one; correct `source`, or set "
                "HF_TOKEN."
            ) from error
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> GoodhartError:
        return GoodhartError(
            f"{self.label}: the Hugging Face hub cannot be reached ({first_line(error)}); check "
            "the network, or use a `file:` source."
        )


def _retried(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return `call(...)`, tried three times when the network fails; refusals are not retried."""
    for wait_s in (1, 5):
        try:
            return call(*args, **kwargs)
        except LocalEntryNotFoundError as error:
            log.info("the hub cannot be reached (%s); trying again", first_line(error))
            time.sleep(wait_s)
    return call(*args, **kwargs)
