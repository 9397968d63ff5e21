"""The sampler against the plainest implementation: no cache, no batch, no shared prompts."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.chat import encode, stop_tokens
from goodhart_gap.evaluation.nucleus import draw
from goodhart_gap.evaluation.randomness import uniforms
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.sampler import sample as sample_with
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.evaluation.transformers_engine import TransformersEngine
from tests.tiny_models import write_tiny_checkpoint

PROMPTS = [
    Prompt("shirt", "execution", "A shirt costs 25 dollars."),
    Prompt("shirt", "explanation", "Explain how a shirt for 25 dollars is paid for, please."),
    Prompt("order", "execution", "Alice is taller than Bob."),
    Prompt("order", "explanation", "You are asked: who is taller?"),
]
SETTINGS = SamplingSettings(temperature=0.8, max_new_tokens=12, dtype="float32", threads=1)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny")
    for family in ("llama", "qwen2", "mistral", "gemma2"):
        write_tiny_checkpoint(root / family, family)
    return root


def load(checkpoints: Path, family: str, dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    model = AutoModelForCausalLM.from_pretrained(checkpoints / family, dtype=dtype).eval()
    return model, AutoTokenizer.from_pretrained(checkpoints / family)


def sample(model: Any, tokenizer: Any, *arguments: Any) -> list[dict[str, Any]]:
    return sample_with(TransformersEngine(model, tokenizer), tokenizer, *arguments)


def plainest(model: Any, tokenizer: Any, prompt: Prompt, run: int, settings: Any) -> list[int]:
    """Sample one response by running the whole sequence through the model for every token."""
    ids = encode(tokenizer, prompt.text, settings.system_prompt)
    numbers = uniforms(7, prompt.task, run, prompt.role, settings.max_new_tokens)
    stop, found = stop_tokens(model.generation_config, model.config, tokenizer), []
    for number in numbers:
        with torch.inference_mode():
            logits = model(torch.tensor([ids + found]), use_cache=False).logits[:, -1]
        at = torch.tensor([number])
        token = int(draw(logits, at, settings.temperature, settings.top_p))
        if token in stop:
            break
        found.append(token)
    return found


@pytest.mark.parametrize("family", ["llama", "qwen2", "mistral", "gemma2"])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_equals_the_plainest_sampler(checkpoints: Path, family: str, temperature: float) -> None:
    model, tokenizer = load(checkpoints, family)
    settings = SETTINGS.model_copy(update={"temperature": temperature})
    records = sample(model, tokenizer, PROMPTS, range(2), 7, settings)
    assert [(r["run"], r["task"], r["role"]) for r in records] == [
        (run, prompt.task, prompt.role) for run in range(2) for prompt in PROMPTS
    ]
    for record in records:
        prompt = next(p for p in PROMPTS if (p.task, p.role) == (record["task"], record["role"]))
        expected = plainest(model, tokenizer, prompt, record["run"], settings)
        assert record["text"] == tokenizer.decode(expected, skip_special_tokens=True)
        assert record["n_tokens"] == len(expected)


def test_greedy_equals_generate(checkpoints: Path) -> None:
    model, tokenizer = load(checkpoints, "llama")
    settings = SETTINGS.model_copy(update={"temperature": 0.0})
    for record, prompt in zip(
        sample(model, tokenizer, PROMPTS, [0], 7, settings), PROMPTS, strict=True
    ):
        ids = torch.tensor([encode(tokenizer, prompt.text, None)])
        whole = model.generate(ids, max_new_tokens=12, do_sample=False)
        text = tokenizer.decode(whole[0, ids.shape[1] :], skip_special_tokens=True)
        assert record["text"] == text


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_response_does_not_depend_on_its_batch(checkpoints: Path, dtype: torch.dtype) -> None:
    model, tokenizer = load(checkpoints, "llama", dtype)
    together = sample(model, tokenizer, PROMPTS, range(6), 7, SETTINGS)
    small = SETTINGS.model_copy(update={"batch_size": 6})
    assert sample(model, tokenizer, PROMPTS, range(6), 7, small) == together
    for runs in (range(2), range(2, 6)):
        part = sample(model, tokenizer, PROMPTS, runs, 7, SETTINGS)
        assert part == [record for record in together if record["run"] in runs]
    alone = sample(model, tokenizer, PROMPTS[2:3], [4], 7, SETTINGS)
    assert alone[0] in together


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_threads_change_nothing(checkpoints: Path, dtype: torch.dtype) -> None:
    model, tokenizer = load(checkpoints, "llama", dtype)
    two = SETTINGS.model_copy(update={"threads": 2})
    assert sample(model, tokenizer, PROMPTS, range(4), 7, two) == sample(
        model, tokenizer, PROMPTS, range(4), 7, SETTINGS
    )


def test_seeds_and_runs_differ(checkpoints: Path) -> None:
    model, tokenizer = load(checkpoints, "llama")
    texts = {
        (seed, record["run"]): record["text"]
        for seed in (1, 2)
        for record in sample(model, tokenizer, PROMPTS[:1], range(3), seed, SETTINGS)
    }
    assert len(set(texts.values())) == len(texts)


def test_stop_reasons(checkpoints: Path) -> None:
    model, tokenizer = load(checkpoints, "llama")
    records = sample(model, tokenizer, PROMPTS, range(40), 7, SETTINGS)
    ended = [record for record in records if record["stop_reason"] == "eos"]
    cut = [record for record in records if record["stop_reason"] == "length"]
    assert ended
    assert cut
    assert all(record["n_tokens"] < 12 and not record["truncated"] for record in ended)
    assert all(record["n_tokens"] == 12 and record["truncated"] for record in cut)


def test_every_stop_token_counts(checkpoints: Path) -> None:
    model, tokenizer = load(checkpoints, "llama")
    model.generation_config.eos_token_id = [5, 9]
    assert stop_tokens(model.generation_config, model.config, tokenizer) == {2, 5, 9}


def test_system_prompt(checkpoints: Path) -> None:
    _, tokenizer = load(checkpoints, "llama")
    default, own, empty = (
        tokenizer.decode(encode(tokenizer, "Hello", system)) for system in (None, "Be brief.", "")
    )
    assert "You are tiny." in default
    assert "Be brief." in own
    assert "You are tiny." not in own
    assert "You are tiny." not in empty
    tokenizer.chat_template = None
    assert tokenizer.decode(encode(tokenizer, "Hello", "Be brief.")) == "Be brief.\n\nHello"


def test_prompt_without_room(checkpoints: Path) -> None:
    model, tokenizer = load(checkpoints, "llama")
    settings = SETTINGS.model_copy(update={"max_new_tokens": 1020})
    with pytest.raises(GoodhartError, match=r"task 'shirt'.*lower max_new_tokens"):
        sample(model, tokenizer, PROMPTS, [0], 7, settings)
