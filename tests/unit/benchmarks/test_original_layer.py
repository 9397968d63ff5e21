"""The original's layer is the same weight, held and formed as the original did."""

from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.original_layer import OriginalLinear
from benchmarks.peer_generation import dequantize_each_call
from torch.utils._python_dispatch import TorchDispatchMode

from goodhart_gap.runtime.load import load_model
from tests.unit.conftest import Folders
from tests.unit.runtime.checkpoints import FOUR_BITS, compress
from tests.unit.runtime.test_linear import LAYOUTS, difference, inputs, layer


class Formats(TorchDispatchMode):
    """The number formats of all tensors that are made: of integers only if bits are unpacked."""

    def __init__(self) -> None:
        super().__init__()
        self.formats: set[torch.dtype] = set()

    def __torch_dispatch__(self, function: Any, _: Any, words: Any = (), named: Any = None) -> Any:
        made = function(*words, **(named or {}))
        self.formats.add(made.dtype)
        return made


@torch.inference_mode()
@pytest.mark.parametrize(
    "layout", ["four bits", "symmetric", "no factors", "ragged groups", "two bits"]
)
def test_it_is_the_same_weight(layout: str) -> None:
    packed = layer(**LAYOUTS[layout])
    values = inputs()
    expected = packed.dense(torch.float32)(values)
    original = OriginalLinear(packed, torch.float32)
    assert original.codes.dtype == torch.int8
    with Formats() as made:
        found = original(values)
    assert difference(found, expected) < 1e-5
    assert made.formats == {torch.float32}


@pytest.mark.parametrize("layout", ["rotated", "trellis", "eight bits"])
def test_what_the_original_did_not_know_is_refused(layout: str) -> None:
    with pytest.raises(ValueError, match="the original had"):
        OriginalLinear(layer(**LAYOUTS[layout]), torch.float32)


@torch.inference_mode()
def test_a_model_of_such_layers_says_the_same(bases: Folders, tmp_path: Path) -> None:
    base = bases("llama")
    shard, *_ = sorted(compress(base, tmp_path / "packed", FOUR_BITS).glob("blocks*.safetensors"))
    config, fingerprint = base / "config.json", base / "fingerprint.json"
    plain = sorted(base.glob("*.safetensors"))
    ids = torch.arange(20).view(2, 10)
    whole = [shard if path.name == shard.name else path for path in plain]
    expected = load_model(config, fingerprint, whole, "float32")(ids).logits
    model = load_model(config, fingerprint, plain, "float32")
    changed = dequantize_each_call(model, shard)
    assert changed == sum(isinstance(each, OriginalLinear) for each in model.modules()) > 0
    # Dense weights are rounded to bfloat16, as the base's are; these are not.
    assert difference(model(ids).logits, expected) < 0.05
