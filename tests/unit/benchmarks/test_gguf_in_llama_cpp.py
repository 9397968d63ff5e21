"""What stands between llama.cpp and `compare`; a transformers model plays llama.cpp itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.gguf_in_llama_cpp import LENGTH, LlamaCpp, read_differently
from transformers import AutoModelForCausalLM, AutoTokenizer

from goodhart_gap.runtime.exports.agreement import compare
from tests.tiny_models import write_tiny_checkpoint


class Player:
    """As much of `llama_cpp.Llama` as is used: tokens in, a row of `scores` for each."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.scores = np.zeros((512, model.config.vocab_size), dtype=np.single)
        self.seen: list[int] = []

    @property
    def n_tokens(self) -> int:
        return len(self.seen)

    def token_eos(self) -> int:
        return int(self.model.generation_config.eos_token_id)

    def reset(self) -> None:
        self.seen = []

    @torch.inference_mode()
    def eval(self, tokens: list[int]) -> None:
        self.seen += tokens
        logits = self.model(torch.tensor([self.seen])).logits[0]
        self.scores[self.n_tokens - len(tokens) : self.n_tokens] = logits[-len(tokens) :]

    def tokenize(self, text: bytes, add_bos: bool, special: bool) -> list[int]:
        assert (add_bos, special) == (False, True)
        return self.tokenizer(text.decode(), add_special_tokens=False)["input_ids"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny"), blocks=2)


def played(folder: Path, change: float = 0.0) -> LlamaCpp:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        model.model.norm.weight *= 1 + change * torch.randn(model.model.norm.weight.shape)
    theirs = LlamaCpp.__new__(LlamaCpp)
    theirs.llama = Player(model, AutoTokenizer.from_pretrained(folder))
    return theirs


def test_the_same_model_agrees_to_the_last_token(folder: Path) -> None:
    ours = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    found = compare(ours, played(folder), torch.arange(5, 5 + 2 * LENGTH).reshape(2, -1), "gguf", 8)
    assert found.rms_difference < 1e-5
    assert [each.equal_tokens for each in found.greedy] == [8, 8]


def test_another_model_does_not(folder: Path) -> None:
    ours = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(0)
    theirs = played(folder, change=0.5)
    found = compare(ours, theirs, torch.arange(5, 5 + 2 * LENGTH).reshape(2, -1), "gguf", 8)
    assert found.rms_difference > 0.05


def test_text_that_is_read_differently_is_named(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    theirs = played(folder)
    assert read_differently(theirs, tokenizer, ["one", "two words"]) == []
    original = theirs.llama.tokenize
    theirs.llama.tokenize = lambda text, **how: original(text.replace(b"two", b"2"), **how)
    assert read_differently(theirs, tokenizer, ["one", "two words"]) == ["two words"]
