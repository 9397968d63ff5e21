"""The vLLM backend with a stand-in for vLLM, which cannot run without a GPU.

The stand-in has the few names we use, as vLLM documents them; it loads the folder it is given with
transformers and samples by itself. What vLLM really does with them is not tested here.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.dense_checkpoint import dense_checkpoint
from goodhart_gap.evaluation.randomness import request_seed
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.sampler import sample
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.evaluation.transformers_engine import TransformersEngine
from goodhart_gap.evaluation.vllm_engine import VllmEngine
from goodhart_gap.files import read_json
from goodhart_gap.runtime.load import load_model
from tests.unit.conftest import Folders
from tests.unit.runtime.test_load import compressed

PROMPTS = [
    Prompt("shirt", "execution", "A shirt costs 25 dollars."),
    Prompt("order", "explanation", "You are asked: who is taller?"),
]
SETTINGS = SamplingSettings(
    backend="vllm", temperature=0.8, max_new_tokens=12, dtype="float32", threads=1
)


@dataclass(kw_only=True)
class SamplingParams:
    seed: int
    temperature: float
    top_p: float
    max_tokens: int
    stop_token_ids: list[int]
    detokenize: bool


class LLM:
    """Loads a checkpoint and samples one request after the other, from the request's seed."""

    def __init__(self, model: str, **options: Any) -> None:
        self.options = options
        self.model = AutoModelForCausalLM.from_pretrained(model, dtype=options["dtype"]).eval()
        config = SimpleNamespace(max_model_len=1024, hf_config=self.model.config)
        self.llm_engine = SimpleNamespace(model_config=config)
        self.batches: list[int] = []

    @torch.inference_mode()
    def generate(self, prompts: list[Any], parameters: list[SamplingParams], use_tqdm: bool) -> Any:
        self.batches.append(len(prompts))
        return [
            SimpleNamespace(outputs=[self._one(prompt["prompt_token_ids"], wanted)])
            for prompt, wanted in zip(prompts, parameters, strict=True)
        ]

    def _one(self, ids: list[int], wanted: SamplingParams) -> Any:
        generator = torch.Generator().manual_seed(wanted.seed)
        tokens: list[int] = []
        while len(tokens) < wanted.max_tokens:
            logits = self.model(torch.tensor([ids + tokens])).logits[0, -1]
            if wanted.temperature == 0:
                token = int(logits.argmax())
            else:
                logits[wanted.stop_token_ids] += 3  # so that some responses end by themselves
                chances = torch.softmax(logits / wanted.temperature, dim=-1)
                token = int(torch.multinomial(chances, 1, generator=generator))
            tokens.append(token)
            if token in wanted.stop_token_ids:
                return SimpleNamespace(token_ids=tuple(tokens), finish_reason="stop")
        return SimpleNamespace(token_ids=tuple(tokens), finish_reason="length")


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("vllm")
    module.LLM, module.SamplingParams = LLM, SamplingParams  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)


def records(folder: Path, settings: SamplingSettings, runs: range) -> list[dict[str, Any]]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    engine = VllmEngine(folder, tokenizer, settings)
    return sample(engine, tokenizer, PROMPTS, runs, 7, settings)


@pytest.mark.usefixtures("vllm")
def test_greedy_responses_are_ours(checkpoints: Folders) -> None:
    folder = checkpoints("llama")
    settings = SETTINGS.model_copy(update={"temperature": 0.0})
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    engine = TransformersEngine(model, tokenizer)
    assert records(folder, settings, range(1)) == sample(
        engine, tokenizer, PROMPTS, range(1), 7, settings
    )


@pytest.mark.usefixtures("vllm")
def test_requests_are_keyed_and_independent_of_the_batch(checkpoints: Folders) -> None:
    folder = checkpoints("llama")
    together = records(folder, SETTINGS, range(12))
    assert records(folder, SETTINGS, range(3, 5)) == [r for r in together if r["run"] in (3, 4)]
    one_by_one = SETTINGS.model_copy(update={"batch_size": 1})
    assert records(folder, one_by_one, range(12)) == together
    assert len({record["text"] for record in together}) > 12
    assert {record["stop_reason"] for record in together} == {"eos", "length"}
    for record in together:
        assert record["truncated"] == (record["n_tokens"] == 12)


@pytest.mark.usefixtures("vllm")
def test_what_vllm_is_told(checkpoints: Folders) -> None:
    folder = checkpoints("llama")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    engine = VllmEngine(folder, tokenizer, SETTINGS, gpus=4)
    options = engine._model.options
    assert options["tensor_parallel_size"] == 4
    assert options["dtype"] == "float32"
    assert options["generation_config"] == "vllm"


def test_request_seeds_are_pinned() -> None:
    # A change here changes every response ever sampled with vLLM: it must be meant.
    assert request_seed(42, "discount_coupon", 0, "execution") == 3981889379519143183
    names = [(42, "a", 0, "execution"), (42, "a", 1, "execution"), (42, "a", 0, "explanation")]
    assert len({request_seed(*name) for name in names}) == len(names)


def test_without_vllm(checkpoints: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    folder = checkpoints("llama")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with pytest.raises(GoodhartError, match=r"goodhart-gap\[vllm\]"):
        VllmEngine(folder, tokenizer, SETTINGS)


@pytest.mark.parametrize("kind", ["base", "compressed"])
def test_the_folder_vllm_reads_is_the_model(
    kind: str, bases: Folders, checkpoints: Folders, tmp_path: Path
) -> None:
    base, source = bases("qwen2"), checkpoints("qwen2")
    shards = sorted(base.glob("*.safetensors"))
    if kind == "compressed":
        shard = shards[0].stem
        found = read_json(base / "fingerprint.json")["shards"][shard]["fingerprint"]
        shards[0] = compressed(base, shard, found, tmp_path / shards[0].name)
    config, fingerprint = base / "config.json", base / "fingerprint.json"
    tokens = torch.arange(40).reshape(2, 20)
    others = [source / "tokenizer.json", source / "tokenizer_config.json"]
    with (
        torch.inference_mode(),
        dense_checkpoint(config, fingerprint, shards, others) as folder,
    ):
        expected = load_model(config, fingerprint, shards)(tokens).logits
        dense = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        assert torch.equal(dense(tokens).logits, expected)
        AutoTokenizer.from_pretrained(folder)
    assert not folder.exists()
