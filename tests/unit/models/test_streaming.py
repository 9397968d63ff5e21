"""Running a decoder block by block is running the decoder."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.skeleton import read_config
from goodhart_gap.models.streaming import Decoder, WeightFile, shared_inputs
from tests.tiny_models import FAMILIES
from tests.unit.conftest import Folders

TOKENS = torch.arange(3 * 40).reshape(3, 40)  # longer than the sliding windows


@torch.inference_mode()
def streamed_logits(decoder: Decoder, file: Path) -> torch.Tensor:
    with WeightFile(file) as weights:
        hidden = decoder.embed(TOKENS, weights)
        calls = decoder.block_calls(hidden)
        for index, call in enumerate(calls):
            with decoder.loaded_block(index, weights) as block:
                hidden = call.run(block, hidden)
        return decoder.logits(hidden, weights)


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_equal_the_whole_model(family: str, checkpoints: Folders) -> None:
    folder = checkpoints(family)
    whole = AutoModelForCausalLM.from_pretrained(folder)
    decoder = Decoder(read_config(folder))
    with torch.inference_mode():
        expected = whole(TOKENS).logits
    assert torch.equal(streamed_logits(decoder, folder / "model.safetensors"), expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_that_share_an_input_are_seen_to(family: str, checkpoints: Folders) -> None:
    folder = checkpoints(family)
    decoder = Decoder(read_config(folder))
    with WeightFile(folder / "model.safetensors") as weights, torch.inference_mode():
        hidden = decoder.embed(TOKENS, weights)
        call = decoder.block_calls(hidden)[0]
        with decoder.loaded_block(0, weights) as block:
            names = decoder.anatomy.linears[0]
            groups = shared_inputs(block, names, lambda: call.run(block, hidden))
    short = [[name.rpartition(".")[2] for name in group] for group in groups]
    assert short == [
        ["q_proj", "k_proj", "v_proj"],
        ["o_proj"],
        ["gate_proj", "up_proj"],
        ["down_proj"],
    ]


def test_a_layer_that_is_not_called_is_named(checkpoints: Folders) -> None:
    decoder = Decoder(read_config(checkpoints("llama")))
    with pytest.raises(GoodhartError, match="not called exactly once"):
        shared_inputs(decoder.blocks[0], decoder.anatomy.linears[0], lambda: None)


def test_only_one_block_has_weights_at_a_time(checkpoints: Folders) -> None:
    folder = checkpoints("llama")
    decoder = Decoder(read_config(folder))

    def in_memory() -> set[str]:
        parameters = decoder.model.named_parameters()
        return {name for name, parameter in parameters if not parameter.is_meta}

    assert in_memory() == set()
    with WeightFile(folder / "model.safetensors") as weights:
        with decoder.loaded_block(1, weights):
            names = in_memory()
            assert names
            assert all(name.startswith("model.layers.1.") for name in names)
        assert in_memory() == set()
        decoder.logits(decoder.embed(TOKENS, weights), weights)
        assert in_memory() == set()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_head_is_loaded_without_the_embedding(
    family: str, checkpoints: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of a large model takes gigabytes; a tied head is read once."""
    folder = checkpoints(family)
    decoder = Decoder(read_config(folder))
    asked: list[str] = []
    read = WeightFile.read

    def noted(file: WeightFile, name: str) -> torch.Tensor:
        asked.append(name)
        return read(file, name)

    with WeightFile(folder / "model.safetensors") as weights:
        hidden = decoder.embed(TOKENS, weights)
        monkeypatch.setattr(WeightFile, "read", noted)
        decoder.logits(hidden, weights)
    tied = decoder.model.config.tie_word_embeddings
    head = "model.embed_tokens.weight" if tied else "lm_head.weight"
    assert sorted(asked) == sorted([head, "model.norm.weight"])


def test_weights_are_dropped_when_a_block_fails(checkpoints: Folders) -> None:
    folder = checkpoints("llama")
    decoder = Decoder(read_config(folder))
    with WeightFile(folder / "model.safetensors") as weights:
        with pytest.raises(RuntimeError, match="stop"), decoder.loaded_block(0, weights):
            raise RuntimeError("stop")
        assert all(parameter.is_meta for parameter in decoder.model.parameters())


def test_a_missing_weight_is_named(checkpoints: Folders, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    folder = checkpoints("llama")
    save_file({"other": torch.zeros(1)}, tmp_path / "x.safetensors")
    decoder = Decoder(read_config(folder))
    with (
        WeightFile(tmp_path / "x.safetensors") as weights,
        pytest.raises(GoodhartError, match=r"x\.safetensors: has no weight model\.layers\.0\."),
        decoder.loaded_block(0, weights),
    ):
        pass
