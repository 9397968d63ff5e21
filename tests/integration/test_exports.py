"""Exports and imports in the real workflow: rules, manifests, and what refuses what."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from goodhart_gap.provenance.manifest import manifest_path, read_manifest
from tests.integration.workshop import Workshop

pytestmark = pytest.mark.workflow

FORMATS = ("caldera", "dense", "compressed-tensors", "gguf")

FOLDER = "results/models/tiny/uniform/exports"


@pytest.fixture(scope="module")
def exported(finished_session: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A copy of the finished workshop, with every export of one condition and two imports."""
    folder = tmp_path_factory.mktemp("exports") / "workshop"
    workshop = finished_session.copied_to(folder)
    workshop.run(
        "--",
        *(f"{FOLDER}/{format}/agreement.json" for format in FORMATS),
    )
    for format in ("dense", "gguf"):
        shutil.copytree(folder / FOLDER / format, folder / "others" / format)
    workshop.config["conditions"] |= {
        "their-folder": {"import": {"source": "file:others/dense"}},
        "their-gguf": {"import": {"source": "file:others/gguf#model.gguf"}},
    }
    workshop.experiment["conditions"] += ["their-folder", "their-gguf"]
    workshop.run(
        "--",
        *(
            f"results/tiny-n40/responses/{name}/seed42/runs0-0.jsonl"
            for name in ("their-folder", "their-gguf")
        ),
    )
    return workshop


def texts(workshop: Workshop, condition: str) -> list[str]:
    path = workshop.results / f"responses/{condition}/seed42/runs0-0.jsonl"
    return [json.loads(line)["text"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("format", FORMATS)
def test_each_export_agrees_and_has_a_manifest(format: str, exported: Workshop) -> None:
    folder = exported.folder / FOLDER / format
    agreements = json.loads((folder / "agreement.json").read_text())["agreements"]
    assert [each["dtype"] for each in agreements] == ["float32", "bfloat16"]
    for each, largest in zip(agreements, (0.02, 0.05), strict=True):
        assert each["rms_difference"] <= each["tolerance"] <= largest
        assert each["tokens"] == 64  # the one held-out sequence of the tiny model
        assert [row["tokens"] for row in each["greedy"]] == [64]
    weights = next(path for path in folder.iterdir() if path.suffix in (".safetensors", ".gguf"))
    manifest = read_manifest(manifest_path(weights))
    assert manifest.output.size_bytes == weights.stat().st_size
    assert any(each.path.endswith("uniform/blocks000-001.safetensors") for each in manifest.inputs)


def test_a_compressed_folder_loads_by_from_pretrained(exported: Workshop) -> None:
    """As it is made by the workflow, with nothing but `import goodhart_gap` before."""
    import goodhart_gap  # noqa: F401

    tokens = torch.arange(5, 25).unsqueeze(0)
    packed, dense = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        for folder in (exported.folder / FOLDER / "../", exported.folder / FOLDER / "dense")
    )
    with torch.inference_mode():
        difference = packed(tokens).logits - dense(tokens).logits
    assert float(difference.square().mean().sqrt() / dense(tokens).logits.std()) < 0.02


def test_an_imported_folder_answers_like_the_condition_it_was_exported_from(
    exported: Workshop,
) -> None:
    assert texts(exported, "their-folder") == texts(exported, "uniform")
    assert texts(exported, "their-gguf") == texts(exported, "uniform")


@pytest.mark.parametrize(("name", "method"), [("folder", "none"), ("gguf", "gguf")])
def test_an_import_is_recorded_with_source_and_hashes(
    name: str, method: str, exported: Workshop
) -> None:
    record = exported.folder / f"results/models/tiny/their-{name}/import.json"
    content = json.loads(record.read_text())
    assert content["import"]["source"].startswith("file:others/")
    assert content["quant_method"] == method
    assert all(len(entry["sha256"]) == 64 for entry in content["files"].values())
    responses = exported.results / f"responses/their-{name}/seed42/runs0-0.jsonl"
    inputs = read_manifest(manifest_path(responses)).inputs
    assert f"their-{name}/import.json" in " ".join(each.path for each in inputs)


def test_a_changed_import_is_refused_until_it_is_recorded_again(exported: Workshop) -> None:
    from goodhart_gap.errors import GoodhartError
    from goodhart_gap.runtime.imported import load_imported

    record = exported.folder / "results/models/tiny/their-folder/import.json"
    content = json.loads(record.read_text())
    changed = record.with_name("changed.json")
    place = f"file:{exported.folder / 'others/dense'}"
    content["import"]["source"] = place
    changed.write_text(json.dumps(content))
    assert load_imported(changed) is not None
    content["files"]["config.json"]["sha256"] = "0" * 64
    changed.write_text(json.dumps(content))
    with pytest.raises(GoodhartError, match=r"config\.json: is not the file that"):
        load_imported(changed)
    changed.unlink()


def test_what_cannot_be_imported_is_said_in_a_sentence(exported: Workshop, tmp_path: Path) -> None:
    from goodhart_gap.errors import GoodhartError
    from goodhart_gap.models.import_settings import ImportSettings
    from goodhart_gap.runtime.imported import describe_import
    from tests.tiny_models import write_tiny_checkpoint

    base = exported.folder / "results/models/tiny/base/config.json"
    with pytest.raises(GoodhartError, match="no such folder"):
        describe_import(ImportSettings(source=f"file:{tmp_path}/none"), base)
    other = write_tiny_checkpoint(tmp_path / "other", blocks=3)
    with pytest.raises(GoodhartError, match="num_hidden_layers is 3"):
        describe_import(ImportSettings(source=f"file:{other}"), base)
