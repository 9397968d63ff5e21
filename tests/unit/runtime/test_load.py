"""A model from shards is the checkpoint they came from; shards of another base are refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from goodhart_gap.compression.format import ShardWriter
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json
from goodhart_gap.runtime.load import load_model
from tests.tiny_models import FAMILIES
from tests.unit.conftest import Folders

TOKENS = torch.arange(40).reshape(2, 20)


def load(base: Path, shards: list[Path], **options: str) -> object:
    return load_model(base / "config.json", base / "fingerprint.json", shards, **options)


def base_shards(base: Path) -> list[Path]:
    return sorted(base.glob("*.safetensors"))


@torch.inference_mode()
def logits(model: object) -> torch.Tensor:
    return model(TOKENS).logits  # type: ignore[operator, no-any-return]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_baseline_is_the_checkpoint(family: str, bases: Folders, checkpoints: Folders) -> None:
    base = bases(family)
    model = load(base, base_shards(base))
    assert torch.equal(
        logits(model), logits(AutoModelForCausalLM.from_pretrained(checkpoints(family)))
    )
    assert model.generation_config.eos_token_id == 2  # type: ignore[attr-defined]
    assert not model.training  # type: ignore[attr-defined]


def test_tied_weights_are_one_tensor(bases: Folders) -> None:
    base = bases("llama")
    model = load(base, base_shards(base))
    assert model.lm_head.weight is model.model.embed_tokens.weight  # type: ignore[attr-defined]


def test_the_dtype_asked_for(bases: Folders) -> None:
    base = bases("llama")
    model = load(base, base_shards(base), dtype="bfloat16")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}  # type: ignore[attr-defined]
    assert torch.isfinite(logits(model)).all()


def compressed(base: Path, shard: str, fingerprint: str, path: Path) -> Path:
    """Write a shard in the compressed format, with one changed weight and all others protected."""
    writer = ShardWriter(shard, fingerprint, dtype="float32")
    for name, tensor in load_file(base / f"{shard}.safetensors").items():
        writer.add_plain(name, tensor * 2 if name.endswith("up_proj.weight") else tensor)
    writer.write(path)
    return path


def test_blocks_come_from_compressed_shards(
    bases: Folders, checkpoints: Folders, tmp_path: Path
) -> None:
    base = bases("llama")
    shard = "blocks001-001"
    known = read_json(base / "fingerprint.json")["shards"][shard]["fingerprint"]
    ours = compressed(base, shard, known, tmp_path / "x.safetensors")
    others = [path for path in base_shards(base) if path.stem != shard]
    model = load(base, [*others, ours])
    original = AutoModelForCausalLM.from_pretrained(checkpoints("llama"))
    weights = [m.model.layers[1].mlp.up_proj.weight for m in (model, original)]  # type: ignore[attr-defined]
    assert torch.equal(weights[0], weights[1] * 2)
    with torch.no_grad():
        weights[1].mul_(2)
    assert torch.equal(logits(model), logits(original))


def test_a_shard_of_another_base_is_refused_by_both_names(bases: Folders, tmp_path: Path) -> None:
    base = bases("llama")
    known = read_json(base / "fingerprint.json")["shards"]["blocks000-000"]["fingerprint"]
    foreign = compressed(base, "blocks000-000", "f" * 64, tmp_path / "x.safetensors")
    with pytest.raises(GoodhartError, match=f"{'f' * 64}.*{known}"):
        load(base, [foreign])


def test_a_missing_shard_is_refused(bases: Folders) -> None:
    base = bases("llama")
    with pytest.raises(GoodhartError, match=r"no shard holds model\.layers\.1\."):
        load(base, [*base_shards(base)[:1], base / "embeddings.safetensors"])


def test_a_shard_given_twice_is_refused(bases: Folders) -> None:
    base = bases("llama")
    with pytest.raises(GoodhartError, match=r"blocks000-000\.safetensors: .* another shard has it"):
        load(base, [base / "blocks000-000.safetensors"] * 2)


def test_a_misshapen_weight_is_refused(bases: Folders, tmp_path: Path) -> None:
    base = bases("llama")
    save_file({"model.norm.weight": torch.zeros(3)}, tmp_path / "x.safetensors")
    with pytest.raises(GoodhartError, match=r"x\.safetensors: model\.norm\.weight has shape \[3\]"):
        load(base, [tmp_path / "x.safetensors"])
