"""Conversations the model samples itself: from its distribution, keyed, in its own format."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from goodhart_gap.calibration.conversations import (
    _uniforms,
    conversation_prefix,
    draw,
    sample_conversations,
)
from goodhart_gap.calibration.decoding import packed_attention
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.assembly import assemble_model, base_weights
from tests.tiny_models import FAMILIES
from tests.unit.conftest import Folders


def load(base: Path) -> object:
    return assemble_model(base / "config.json", base_weights(sorted(base.glob("*.safetensors"))))


def test_the_prefix_ends_where_the_users_words_begin(bases: Folders) -> None:
    tokenizer = AutoTokenizer.from_pretrained(bases("llama"))
    prefix = tokenizer.decode(conversation_prefix(tokenizer))
    assert prefix == "<|im_start|>system\nYou are tiny.<|im_end|>\n<|im_start|>user\n"


@pytest.mark.parametrize("template", ["no words", "{{ messages[0]['content'] }} first"])
def test_a_template_without_a_prefix_is_refused(template: str, bases: Folders) -> None:
    tokenizer = AutoTokenizer.from_pretrained(bases("llama"))
    tokenizer.chat_template = template
    with pytest.raises(GoodhartError, match=r"calibration\.source: `self` needs a chat template"):
        conversation_prefix(tokenizer)


def test_a_draw_inverts_the_cumulative_distribution() -> None:
    probabilities = torch.tensor([0.5, 0.0, 0.25, 0.125, 0.125])
    uniforms = (torch.arange(1000) + 0.5) / 1000
    tokens = draw(probabilities.log().expand(1000, -1), uniforms)
    assert torch.bincount(tokens, minlength=5).tolist() == [500, 0, 250, 125, 125]


def test_a_draw_stays_inside_the_vocabulary() -> None:
    logits = torch.randn(64, 1000, generator=torch.Generator().manual_seed(0)).bfloat16()
    almost_one = torch.full((64,), 1 - 2**-24)
    assert draw(logits, almost_one).max() < 1000
    assert draw(logits, torch.zeros(64)).min() >= 0


@pytest.mark.parametrize("family", FAMILIES)
def test_every_token_follows_from_the_ones_before_it(family: str, bases: Folders) -> None:
    """The incremental sampler agrees with forward passes over whole sequences, without a cache."""
    model = load(bases(family))
    prefix = [1, 40, 41]
    tokens = sample_conversations(model, prefix, sequences=3, length=40, seed=7)
    assert tokens.dtype == torch.int32
    assert tokens[:, :3].tolist() == [prefix] * 3
    with torch.inference_mode():
        logits = model(tokens.long()).logits  # type: ignore[operator]
    uniforms = torch.stack([_uniforms(7, row, 37) for row in range(3)])
    expected = torch.stack(
        [draw(logits[:, i + 2], uniforms[:, i]).to(torch.int32) for i in range(37)], dim=1
    )
    assert torch.equal(tokens[:, 3:], expected)


def test_numbers_are_keyed_by_seed_and_sequence(bases: Folders) -> None:
    model = load(bases("llama"))
    few = sample_conversations(model, [1, 40], sequences=2, length=16, seed=1)
    again = sample_conversations(model, [1, 40], sequences=2, length=16, seed=1)
    more = sample_conversations(model, [1, 40], sequences=5, length=16, seed=1)
    other = sample_conversations(model, [1, 40], sequences=2, length=16, seed=2)
    assert torch.equal(few, again)
    assert torch.equal(few, more[:2])
    assert not torch.equal(few, other)
    assert len({tuple(row) for row in more.tolist()}) == 5


def test_the_end_of_a_turn_does_not_end_a_sequence(bases: Folders) -> None:
    model = load(bases("llama"))
    tokens = sample_conversations(model, [1, 40], sequences=64, length=32, seed=0)
    end = model.config.eos_token_id  # type: ignore[attr-defined]
    assert bool((tokens[:, 2:-1] == end).any())
    assert tokens.shape == (64, 32)


def test_a_prefix_that_leaves_no_room_is_refused(bases: Folders) -> None:
    with pytest.raises(GoodhartError, match="sequence_length = 4: the chat template alone has 5"):
        sample_conversations(load(bases("llama")), [1] * 5, sequences=1, length=4, seed=0)


@pytest.mark.parametrize(("heads", "key_heads"), [(9, 3), (4, 4), (4, 1)])
def test_packed_heads_attend_as_they_would_apart(heads: int, key_heads: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(5, heads, 1, 8, generator=generator)
    key, value = (torch.randn(5, key_heads, 33, 8, generator=generator) for _ in range(2))
    output, _ = packed_attention(torch.nn.Module(), query, key, value, None, scaling=0.3)
    apart = [
        torch.softmax(query[:, h] @ key[:, h * key_heads // heads].mT * 0.3, dim=-1)
        @ value[:, h * key_heads // heads]
        for h in range(heads)
    ]
    torch.testing.assert_close(output, torch.stack(apart, dim=2))
