"""Exports compute what our runtime computes, loaded by the tools they are meant for."""

import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from goodhart_gap.compression.assemble import shapes_of
from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json, write_json
from goodhart_gap.models.tensor_files import read_header
from goodhart_gap.runtime.exports.agreement import Agreement, check, compare
from goodhart_gap.runtime.exports.compressed_tensors import Packed
from goodhart_gap.runtime.exports.continuations import Continuation, continuations
from goodhart_gap.runtime.exports.dense import export_dense, write_config
from goodhart_gap.runtime.exports.gguf_file import export_gguf
from goodhart_gap.runtime.exports.loading import load_export
from goodhart_gap.runtime.exports.whole import export_whole
from goodhart_gap.runtime.load import load_model
from tests.unit.conftest import Folders
from tests.unit.runtime.checkpoints import FOUR_BITS, compress

TOKENS = torch.arange(3, 43).reshape(2, 20)

FAMILIES = ("llama", "qwen2", "mistral")


class Checkpoint:
    """A compressed checkpoint beside its base."""

    def __init__(self, base: Path, settings: MatrixSettings, name: str) -> None:
        self.base = base
        self.folder = compress(base, base.parent / f"{base.name}-{name}", settings)
        self.shards = [base / "embeddings.safetensors", *sorted(self.folder.glob("*.safetensors"))]
        self.index = self.folder / "model.safetensors.index.json"
        self.config = base / "config.json"
        self.linears = list(shapes_of(read_json(base / "fingerprint.json")))

    def ours(self) -> torch.nn.Module:
        fingerprint = self.base / "fingerprint.json"
        return load_model(self.config, fingerprint, self.shards, "float32", index=self.index)

    def compressed_tensors(self, folder: Path) -> list[Path]:
        packed = Packed(self.shards, self.index)
        adapter = folder / "adapter"
        adapter.mkdir()
        files = [folder / "model.safetensors", adapter / "adapter_model.safetensors"]
        packed.write_weights(files[0])
        packed.write_adapter(files[1])
        packed.write_adapter_config(adapter / "adapter_config.json", self.linears)
        write_config(self.config, folder / "config.json", packed.quantization_config(self.linears))
        return files

    def dense(self, folder: Path) -> list[Path]:
        export_dense(self.shards, self.index, folder / "model.safetensors")
        write_config(self.config, folder / "config.json")
        return [folder / "model.safetensors"]

    def gguf(self, folder: Path, config: Path | None = None) -> list[Path]:
        path = folder / "model.gguf"
        export_gguf(self.shards, self.index, config or self.config, self.base, path)
        return [path]


@pytest.fixture(scope="module")
def checkpoint(bases: Folders) -> "type[Checkpoint]":
    @cache
    def make(family: str) -> Checkpoint:
        return Checkpoint(bases(family), FOUR_BITS, "exported")

    return make  # type: ignore[return-value]


def stored_bytes(path: Path) -> int:
    """Bytes of all tensors of a file."""
    return max(entry["data_offsets"][1] for entry in read_header(path).tensors.values())


def agreement(checkpoint: Checkpoint, format: str, files: list[Path]) -> Agreement:
    return compare(checkpoint.ours(), load_export(format, files), TOKENS, format, generated=16)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_that_stands_alone(
    family: str, checkpoint: type[Checkpoint], tmp_path: Path
) -> None:
    own = checkpoint(family)
    files = [tmp_path / "model.safetensors", tmp_path / "config.json"]
    export_whole(own.shards, own.index, own.folder / "config.json", files[0])
    write_json(files[1], read_json(own.folder / "config.json"))
    found = agreement(own, "caldera", files)
    assert found.rms_difference < 1e-4
    assert found.greedy_equal
    assert stored_bytes(files[0]) == sum(map(stored_bytes, own.shards))


@pytest.mark.parametrize("family", FAMILIES)
def test_dense(family: str, checkpoint: type[Checkpoint], tmp_path: Path) -> None:
    own = checkpoint(family)
    found = agreement(own, "dense", own.dense(tmp_path))
    assert found.rms_difference == 0
    assert found.greedy_equal


@pytest.mark.parametrize("family", FAMILIES)
def test_compressed_tensors(family: str, checkpoint: type[Checkpoint], tmp_path: Path) -> None:
    own = checkpoint(family)
    found = agreement(own, "compressed-tensors", own.compressed_tensors(tmp_path))
    # The tiny base is float32, so nothing is rounded on the way.
    assert found.rms_difference < 1e-4
    assert found.greedy_equal


@pytest.mark.parametrize(
    "settings",
    [
        {"bits": 8, "group_size": 16, "rank": 0},
        {"bits": 2, "group_size": 32, "rank": 4, "factor_bits": 16},
        {"bits": 3, "group_size": 32, "rank": 20},
    ],
)
def test_compressed_tensors_of_other_widths(settings: dict, bases: Folders, tmp_path: Path) -> None:
    kind = MatrixSettings.model_validate(settings)
    own = Checkpoint(bases("llama"), kind, tmp_path.name)
    found = agreement(own, "compressed-tensors", own.compressed_tensors(tmp_path))
    assert found.rms_difference < 1e-4


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"symmetric": True, "group_size": 32}, "symmetric"),
        ({"hadamard": True, "group_size": 32}, "hadamard"),
        ({"group_size": 24}, "narrower"),
        ({"codebook": "e8", "hadamard": True, "bits": 2}, "codebook e8"),
    ],
)
def test_what_has_no_counterpart_is_refused(
    settings: dict, reason: str, bases: Folders, tmp_path: Path
) -> None:
    kind = MatrixSettings.model_validate({"rank": 0, **settings})
    own = Checkpoint(bases("llama"), kind, tmp_path.name)
    with pytest.raises(GoodhartError, match=f"{reason}.* no counterpart"):
        Packed(own.shards, own.index)


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_gguf(family: str, checkpoint: type[Checkpoint], tmp_path: Path) -> None:
    own = checkpoint(family)
    found = agreement(own, "gguf", own.gguf(tmp_path))
    # The tiny base is float32, and the file's weights are bfloat16.
    assert found.rms_difference < 0.02


def test_gguf_refuses_a_window(checkpoint: type[Checkpoint], tmp_path: Path) -> None:
    with pytest.raises(GoodhartError, match="sliding_window 16"):
        checkpoint("mistral").gguf(tmp_path)


def test_gguf_of_mistral_without_a_window(checkpoint: type[Checkpoint], tmp_path: Path) -> None:
    own = checkpoint("mistral")
    config = tmp_path / "config.json"
    write_json(config, read_json(own.config) | {"sliding_window": None})
    theirs = load_export("gguf", own.gguf(tmp_path, config))
    ours = own.ours()
    short = TOKENS[:, :12]  # within the window that ours has
    assert compare(ours, theirs, short, "gguf", generated=4).rms_difference < 0.02


def far_by(rms: float = 0.0, lead: float | None = None) -> Agreement:
    """What a comparison finds whose logits or second continuation differ so much."""
    parted = Continuation(1, 16, 16 if lead is None else 7, lead)
    greedy = (Continuation(0, 16, 16, None), parted)
    return Agreement("dense", "bfloat16", 1, rms, rms, 1.0, 0.05, greedy, 0.1)


def test_an_export_that_differs_is_refused() -> None:
    with pytest.raises(GoodhartError, match=r"bfloat16 differ from our runtime's by 0\.5"):
        check(far_by(rms=0.5), "exports/dense")
    with pytest.raises(GoodhartError, match=r"prompt 1 in bfloat16 leaves .* token 7, .* by 0\.2 "):
        check(far_by(lead=0.2), "exports/dense")
    check(far_by(rms=0.05, lead=0.1), "exports/dense")
    assert far_by().greedy_equal
    assert not far_by(lead=0.1).greedy_equal


class Counting(torch.nn.Module):
    """A model whose next token is the last one plus one, and then what `after` says."""

    def __init__(self, after: Mapping[int, int] | None = None) -> None:
        super().__init__()
        self.after = after or {}

    def generate(self, input_ids: torch.Tensor, **options: Any) -> Any:
        """As transformers' `generate`: sequences, and logits of each step."""
        ids, steps = input_ids, []
        for _ in range(options["max_new_tokens"]):
            best = [self.after.get(int(last), int(last) + 1) for last in ids[:, -1]]
            # A token leads those below it by their distance.
            steps.append(-(torch.arange(99.0)[None] - torch.tensor(best)[:, None]).abs())
            ids = torch.cat((ids, torch.tensor(best)[:, None]), 1)
        return SimpleNamespace(sequences=ids, logits=tuple(steps))


def test_where_continuations_part_is_found() -> None:
    prompts = torch.tensor([[1, 2], [30, 31]])
    found = continuations(Counting(), Counting({35: 40}), prompts, 2.0, generated=8)
    assert found == [Continuation(0, 8, 8, None), Continuation(1, 8, 4, 2.0)]


def test_the_libraries_are_there() -> None:
    """They are in the development lock, so that the tests above can never be passed over."""
    assert importlib.util.find_spec("peft")
    assert importlib.util.find_spec("compressed_tensors")
