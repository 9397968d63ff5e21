"""A model spread over devices.

No machine of ours has two GPUs. What can be tested without: the cache with a layer on another
device; accelerate's own hooks, which bring weights from disk, with every response compared; and the
device map that is chosen. Untested: tensors that really move between GPUs.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import dispatch_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.sampler import sample
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.evaluation.shared_prefix import SharedPrefixCache
from goodhart_gap.evaluation.transformers_engine import TransformersEngine
from goodhart_gap.models.placement import device_of, spread
from goodhart_gap.models.skeleton import empty_model, read_config
from tests.unit.conftest import Folders

PROMPTS = [
    Prompt("shirt", "execution", "A shirt costs 25 dollars."),
    Prompt("order", "execution", "Alice is taller than Bob, and Bob is taller than Carol."),
]
SETTINGS = SamplingSettings(temperature=0.8, max_new_tokens=6, dtype="float32", threads=1)


def test_every_layer_is_served_on_its_own_device() -> None:
    """Layer 1 is on the meta device, which stands for a second GPU: torch refuses to mix them."""
    devices = ["cpu", "meta"]
    cache = SharedPrefixCache(len(devices))
    lengths = [5, 40, 7]
    for length in lengths:
        cache.open_prompt()
        for layer, device in enumerate(devices):
            keys = torch.randn(1, 2, length, 16, device=device)
            cache.update(keys, keys, layer)
    rows = [0, 0, 0, 1, 1, 2]
    cache.start(rows)
    for kept in ([0, 1, 2, 3, 4, 5], [1, 3, 5], [0, 2]):
        if len(kept) < len(rows):
            cache.keep(kept)
        cache.advance()
        for layer, device in enumerate(devices):
            new = torch.randn(len(kept), 2, 1, 16, device=device)
            cache.update(new, new, layer)
            query = torch.randn(len(kept), 6, 1, 16, device=device)
            result = cache.attend(query, layer, 0.25)
            assert result.shape == query.shape
            assert result.device == query.device


def test_weights_brought_from_disk_give_the_same_responses(
    checkpoints: Folders, tmp_path: Path
) -> None:
    folder = checkpoints("qwen2")
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def records(model: Any) -> list[dict[str, Any]]:
        engine = TransformersEngine(model, tokenizer)
        return sample(engine, tokenizer, PROMPTS, range(3), 7, SETTINGS)

    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    expected = records(plain)
    device_map = {"model": "cpu", "model.layers.1": "disk", "lm_head": "disk"}
    offloaded = dispatch_model(plain, device_map, offload_dir=tmp_path, force_hooks=True)
    assert offloaded.model.layers[1].mlp.up_proj.weight.device.type == "meta"
    assert records(offloaded) == expected


def test_a_model_is_spread_only_if_it_must_be(
    checkpoints: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Accelerate leaves out GPUs that torch does not see; here it shall believe us.
    monkeypatch.setattr("accelerate.utils.modeling.get_max_memory", dict)
    model = empty_model(read_config(checkpoints("llama")), torch.float32)
    model.tie_weights()
    needed = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    assert spread(model, {0: 10 * needed, 1: 10 * needed}) == {"": 0}
    # Less than one GPU needs, yet room for the largest part that accelerate keeps free.
    found = spread(model, {0: 1.4 * needed, 1: 1.4 * needed})
    assert set(found.values()) == {0, 1}
    blocks = {device_of(found, f"model.layers.0.{part}") for part in ("mlp", "self_attn")}
    assert len(blocks) == 1
    with pytest.raises(GoodhartError, match="use more or larger GPUs"):
        spread(model, {0: needed // 4, 1: needed // 4})


def test_the_longest_part_decides() -> None:
    device_map = {"model": 0, "model.layers.1": 1}
    assert device_of(device_map, "model.layers.1.mlp.weight") == 1
    assert device_of(device_map, "model.layers.10.mlp.weight") == 0
    with pytest.raises(GoodhartError, match="lm_head"):
        device_of(device_map, "lm_head.weight")
