"""Decoders are taken apart by structure; what does not fit is named."""

import pytest
from transformers import AutoConfig

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.anatomy import find_anatomy
from goodhart_gap.models.skeleton import empty_model
from tests.tiny_models import FAMILIES, make_config

SEVEN = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_parts_of_a_decoder(family: str) -> None:
    anatomy = find_anatomy(empty_model(make_config(family, blocks=3, hidden=32, vocabulary=64)))
    assert anatomy.embedding == "model.embed_tokens"
    assert anatomy.head == "lm_head"
    assert anatomy.norms == ("model.norm",)
    assert len(anatomy.linears) == 3
    for index in range(3):
        assert {name.rpartition(".")[2] for name in anatomy.linears[index]} == SEVEN
        assert all(name.startswith(f"model.layers.{index}.") for name in anatomy.modules(index))


@pytest.mark.parametrize(
    ("config", "misfit"),
    [
        (AutoConfig.for_model("gpt2", n_layer=2, n_embd=32, n_head=2, vocab_size=64), "GPT2LMHead"),
        (
            AutoConfig.for_model(
                "mixtral",
                num_hidden_layers=2,
                hidden_size=32,
                intermediate_size=32,
                num_local_experts=2,
                num_attention_heads=2,
                num_key_value_heads=2,
                vocab_size=64,
            ),
            r"model\.layers\.0\.mlp\.",
        ),
        (
            AutoConfig.for_model(
                "opt",
                num_hidden_layers=2,
                hidden_size=32,
                ffn_dim=32,
                num_attention_heads=2,
                word_embed_proj_dim=32,
                vocab_size=64,
            ),
            r"embed_positions",
        ),
    ],
    ids=["gpt2", "mixtral", "opt"],
)
def test_an_architecture_that_does_not_fit_is_named(config: object, misfit: str) -> None:
    with pytest.raises(GoodhartError, match=misfit):
        find_anatomy(empty_model(config))


def test_a_model_that_is_no_causal_language_model_is_named() -> None:
    with pytest.raises(GoodhartError, match="'vit'"):
        empty_model(AutoConfig.for_model("vit"))
