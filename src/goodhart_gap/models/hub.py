"""An `hf:` source: a repository of the Hugging Face hub at a pinned commit.

Files go through the user's own Hugging Face cache, and only those are downloaded that hold a
wanted tensor. A token in the environment (`HF_TOKEN`) is used by huggingface_hub itself; nothing
here reads or prints it.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.folder import FolderSource, first_line

log = logging.getLogger(__name__)

METADATA = ("*.json", "*.jinja", "*.model", "*.txt")
"""What a tokenizer or configuration may be made of; weights are fetched one file at a time."""


class HubSource(FolderSource):
    """A checkpoint folder whose files are downloaded when they are first asked for."""

    def __init__(self, repository: str, revision: str) -> None:
        self.repository = repository
        self.revision = revision
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
