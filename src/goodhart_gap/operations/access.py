"""Whether what a run reads and writes elsewhere may be read and written: tried for real."""

import importlib.util
import tempfile
import uuid
from pathlib import Path

from goodhart_gap.errors import GoodhartError

TRY_S = 4.0
"""Seconds a server may take to answer."""


def look_at_storage(prefix: str, patience_s: float = 0) -> None:
    """Ask for an object. Raises GoodhartError when the bucket or the credentials are no good."""
    from goodhart_gap.storage.store import Store

    Store(prefix, patience_s).look(".keep")


def try_storage(prefix: str, patience_s: float = 0) -> None:
    """Write, look at and remove a small object. Raises GoodhartError when one of it fails."""
    from goodhart_gap.storage.store import Store

    store = Store(prefix, patience_s)
    name = f".preflight-{uuid.uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "object")
        file.write_bytes(b"Written by the preflight of goodhart-gap; it may be deleted.\n")
        store.upload(file, name)
        store.remove(name)


def try_model(repository: str, revision: str) -> None:
    """Ask the hub for a commit of a model. Raises GoodhartError when it cannot be had."""
    _try_hub(repository, revision, "model", "source", "use a `file:` source")


def try_data_set(repository: str, revision: str) -> None:
    """Ask the hub for a commit of a data set. Raises GoodhartError when it cannot be had."""
    instead = "use `self` or `file:{text file}`"
    _try_hub(repository, revision, "dataset", "calibration.source", instead)


def find_datasets(repository: str) -> None:
    """Look for what streams a data set. Raises GoodhartError where it is not installed."""
    if importlib.util.find_spec("datasets") is None:
        raise GoodhartError(
            f"calibration.source: hf:{repository} needs the `datasets` library, which is not "
            "installed here; run `make hub`, or use `self` or `file:{text file}`."
        )


def _try_hub(repository: str, revision: str, kind: str, key: str, instead: str) -> None:
    """Ask for a commit of a repository that `key` of the config names; `instead`: a remedy."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    label = f"{'' if kind == 'model' else 'data set '}hf:{repository}@{revision[:12]}"
    api = HfApi()
    try:
        api.repo_info(repository, revision=revision, repo_type=kind, timeout=TRY_S)
        api.auth_check(repository, repo_type=kind)
    except GatedRepoError as error:
        raise GoodhartError(
            f"{label}: access needs its owner's consent; accept the terms on the hub and set "
            "HF_TOKEN."
        ) from error
    except RevisionNotFoundError as error:
        raise GoodhartError(
            f"{label}: the repository has no commit {revision}; correct `revision`."
        ) from error
    except RepositoryNotFoundError as error:
        raise GoodhartError(
            f"{label}: no such repository, or a private one; correct `{key}`, or set HF_TOKEN."
        ) from error
    except HfHubHTTPError as error:
        raise GoodhartError(
            f"{label}: the hub answers {error.response.status_code}; check HF_TOKEN, or try later."
        ) from error
    except Exception as error:
        raise GoodhartError(
            f"{label}: the Hugging Face hub cannot be reached ({type(error).__name__}); check the "
            f"network, or {instead}."
        ) from error
