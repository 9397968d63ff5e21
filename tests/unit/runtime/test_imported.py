"""Checkpoints that others have compressed: which of a folder's files are theirs."""

from pathlib import Path

import pytest

from goodhart_gap.models.import_settings import ImportSettings
from goodhart_gap.runtime import imported
from tests.tiny_models import write_tiny_checkpoint


def test_only_what_is_hidden_in_the_folder_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub's cache itself lies below a hidden folder."""
    folder = tmp_path / ".cache/huggingface/hub/models--o--n/snapshots/0"
    folder.mkdir(parents=True)
    write_tiny_checkpoint(folder, "llama")
    (folder / ".locks").mkdir()
    (folder / ".locks/config.json").write_text("{}")
    (folder / ".gitattributes").write_text("")
    monkeypatch.setattr(imported, "locate", lambda settings: folder)
    settings = ImportSettings(source="hf:o/n", revision="0" * 40)
    record = imported.describe_import(settings, folder / "config.json")
    assert {"config.json", "model.safetensors"} <= record["files"].keys()
    assert not any(name.startswith(".") for name in record["files"])
    assert record["quant_method"] == "none"
