"""Fixtures: one finished tiny experiment for the whole session, and fresh ones to break."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from goodhart_gap.provenance.redaction import SECRET_VARIABLES
from tests.integration.workshop import Workshop
from tests.tiny_models import write_tiny_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama checkpoint in transformers' format."""
    folder = tmp_path_factory.mktemp("checkpoint")
    write_tiny_checkpoint(folder, family="llama", blocks=4)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, checkpoint: Path) -> Workshop:
    """A workshop in which nothing has run."""
    return Workshop(tmp_path / "workshop", checkpoint)


@pytest.fixture(scope="session")
def finished_session(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Workshop:
    """A workshop in which the whole workflow has run once; tests must not run jobs in it.

    It runs once however many workers (pytest-xdist) there are, and each has its own copy.
    """
    temporary = tmp_path_factory.getbasetemp()
    shared = temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary
    original, done = shared / "finished/workshop", shared / "finished/done"
    with FileLock(shared / "finished.lock"):
        if not done.exists():
            workshop = Workshop(original, checkpoint)
            with pytest.MonkeyPatch.context() as patch:
                # Planted, so that test_provenance can look for them in all that the run wrote.
                for name in SECRET_VARIABLES:
                    patch.setenv(name, f"canary-{name.lower()}-0123456789")
                workshop.run()
            done.touch()
    return Workshop.at(original).copied_to(tmp_path_factory.mktemp("session") / "workshop")


@pytest.fixture
def finished(finished_session: Workshop) -> Workshop:
    """The finished workshop, its configuration as it was when it ran."""
    finished_session.config = Workshop.tiny_config()
    return finished_session
