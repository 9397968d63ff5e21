"""A compressed folder loads with transformers alone, packed and dense, and they say the same."""

from functools import cache
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json, write_json
from goodhart_gap.models import number_format
from goodhart_gap.runtime.linear import CalderaLinear
from goodhart_gap.runtime.load import load_model
from goodhart_gap.runtime.quantizer import CalderaConfig
from tests.tiny_models import write_tiny_checkpoint
from tests.unit.conftest import Folders
from tests.unit.models.fetching import fetch_base, file_settings
from tests.unit.runtime.checkpoints import FOUR_BITS, compress

TOKENS = torch.arange(40).reshape(2, 20)

FAMILIES = ("llama", "qwen2", "mistral")

PROTECTED = "model.layers.1.mlp.down_proj"

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.05}
"""Root mean square difference of logits, as a share of their standard deviation.

Packed and dense round at different places: in bfloat16 as much as any two ways of computing do.
"""


@pytest.fixture(scope="module")
def conditions(bases: Folders, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Compressed folders beside their bases."""

    @cache
    def write(family: str) -> Path:
        base = bases(family)
        return compress(base, base.parent / f"{base.name}-condition", FOUR_BITS)

    return write


def load(
    folder: Path, mode: str, dtype: torch.dtype = torch.float32, **options: object
) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, quantization_config=CalderaConfig(mode=mode), **options
    )


@torch.inference_mode()
def logits(model: torch.nn.Module) -> torch.Tensor:
    return model(TOKENS).logits


def share(found: torch.Tensor, expected: torch.Tensor) -> float:
    difference = (found.double() - expected.double()).square().mean().sqrt()
    return float(difference / expected.double().std())


@torch.inference_mode()
def greedy(model: torch.nn.Module) -> torch.Tensor:
    return model.generate(TOKENS[:1], max_new_tokens=16, do_sample=False, pad_token_id=2)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_and_dense_agree(family: str, dtype: torch.dtype, conditions: Folders) -> None:
    packed = load(conditions(family), "packed", dtype)
    dense = load(conditions(family), "dense", dtype)
    assert isinstance(packed.model.layers[0].self_attn.q_proj, CalderaLinear)
    assert type(packed.get_submodule(PROTECTED)) is torch.nn.Linear
    assert type(dense.model.layers[0].self_attn.q_proj) is torch.nn.Linear
    assert share(logits(packed), logits(dense)) < TOLERANCE[dtype]
    assert share(logits(packed), logits(load(conditions(family), "dense"))) < 2 * TOLERANCE[dtype]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_generations_are_equal(family: str, conditions: Folders) -> None:
    packed, dense = (load(conditions(family), mode) for mode in ("packed", "dense"))
    assert torch.equal(greedy(packed), greedy(dense))


@pytest.mark.parametrize("weights", ["packed", "dense"])
def test_the_sampler_and_transformers_load_the_same_model(
    weights: str, conditions: Folders, bases: Folders
) -> None:
    base, condition = bases("qwen2"), conditions("qwen2")
    shards = [base / "embeddings.safetensors", *sorted(condition.glob("*.safetensors"))]
    ours = load_model(
        base / "config.json", base / "fingerprint.json", shards, "float32", weights=weights
    )
    assert torch.equal(logits(ours), logits(load(condition, weights)))


@pytest.mark.parametrize(("bits", "way"), [(4, "int4"), (2, "stored")])
def test_a_cpu_that_computes_in_float32_keeps_the_int4_kernel(
    bits: int, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auto` is float32 without instructions for bfloat16; the kernel takes bfloat16 alone."""
    monkeypatch.setattr(number_format, "_cpu_multiplies", lambda stored: False)
    original = write_tiny_checkpoint(tmp_path / "original", "qwen2", blocks=2)
    base = tmp_path / "base"
    fetch_base(file_settings(original, dtype="bfloat16"), base)
    condition = compress(base, tmp_path / "c", FOUR_BITS.model_copy(update={"bits": bits}))
    shards = [base / "embeddings.safetensors", *sorted(condition.glob("*.safetensors"))]
    packed, dense = (
        load_model(base / "config.json", base / "fingerprint.json", shards, weights=weights)
        for weights in ("packed", "dense")
    )
    layers = [each for each in packed.modules() if isinstance(each, CalderaLinear)]
    assert {layer.way for layer in layers} == {way}
    assert {each.dtype for each in packed.parameters()} == {torch.float32}
    assert logits(packed).dtype == torch.float32
    assert share(logits(packed), logits(dense)) < TOLERANCE[torch.bfloat16]


def test_nothing_has_to_be_said_about_the_mode(conditions: Folders) -> None:
    model = AutoModelForCausalLM.from_pretrained(conditions("llama"), dtype=torch.float32)
    assert isinstance(model.model.layers[0].mlp.up_proj, CalderaLinear)
    assert AutoTokenizer.from_pretrained(conditions("llama")).chat_template
    assert model.generation_config.eos_token_id == 2


def test_a_device_map_is_followed(conditions: Folders) -> None:
    model = load(conditions("llama"), "packed", device_map={"": "cpu"})
    assert torch.equal(logits(model), logits(load(conditions("llama"), "packed")))


def test_layers_on_disk_are_refused(conditions: Folders) -> None:
    places = {"model": "cpu", "lm_head": "cpu", "model.layers.1": "disk"}
    with pytest.raises(GoodhartError, match="cannot stay on disk"):
        load(conditions("qwen2"), "packed", device_map=places)


def test_the_dense_model_is_an_ordinary_one(conditions: Folders, tmp_path: Path) -> None:
    dense = load(conditions("llama"), "dense")
    dense.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert "quantization_config" not in read_json(tmp_path / "config.json")
    assert torch.equal(logits(again), logits(dense))


@pytest.mark.parametrize(
    "settings",
    [
        {"bits": 3, "group_size": 32, "rank": 4},
        {"codebook": "e8", "hadamard": True, "bits": 2, "rank": 4},
        {"codebook": "trellis", "hadamard": True, "bits": 2, "rank": 4},
    ],
)
def test_other_codebooks(settings: dict, bases: Folders, tmp_path: Path) -> None:
    base = bases("llama")
    folder = compress(
        base, base.parent / f"{tmp_path.name}-condition", MatrixSettings.model_validate(settings)
    )
    packed, dense = (load(folder, mode) for mode in ("packed", "dense"))
    assert share(logits(packed), logits(dense)) < TOLERANCE[torch.float32]


def test_a_condition_of_others_shards(bases: Folders, conditions: Folders, tmp_path: Path) -> None:
    """An index may take a module from one compressed shard, the next from another or the base."""
    base, first = bases("llama"), conditions("llama")
    coarse = MatrixSettings(bits=2, group_size=16, rank=0)
    second = compress(base, base.parent / f"{tmp_path.name}-coarse", coarse, protected="none")
    mixed = base.parent / f"{tmp_path.name}-mixed"
    mixed.mkdir()
    write_json(mixed / "config.json", read_json(first / "config.json"))
    index = read_json(first / "model.safetensors.index.json")
    up, gate = (f"model.layers.0.mlp.{name}_proj.weight" for name in ("up", "gate"))
    shard = "blocks000-000.safetensors"
    for name, file in index["weight_map"].items():
        if not file.startswith(".."):
            index["weight_map"][name] = f"../{first.name}/{file}"
    index["weight_map"] |= {up: f"../{second.name}/{shard}", gate: f"../{base.name}/{shard}"}
    write_json(mixed / "model.safetensors.index.json", index)
    found, ours, coarse_one = (load(folder, "dense") for folder in (mixed, first, second))
    packed = load(mixed, "packed")
    weights = [model.model.layers[0].mlp.up_proj.weight for model in (found, ours, coarse_one)]
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[1])
    assert type(packed.model.layers[0].mlp.gate_proj) is torch.nn.Linear
    assert share(logits(packed), logits(found)) < TOLERANCE[torch.float32]


def test_a_missing_weight_is_refused(conditions: Folders, tmp_path: Path) -> None:
    folder = conditions("llama").parent / f"{tmp_path.name}-condition"
    folder.mkdir()
    for name in ("config.json", "model.safetensors.index.json"):
        write_json(folder / name, read_json(conditions("llama") / name))
    index = read_json(folder / "model.safetensors.index.json")
    kept = {name: file for name, file in index["weight_map"].items() if file.startswith("..")}
    write_json(folder / "model.safetensors.index.json", index | {"weight_map": kept})
    with pytest.raises(GoodhartError, match=r"no shard holds model\.layers\.0\."):
        load(folder, "packed")


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(GoodhartError, match="must be packed"):
        CalderaConfig(mode="quick")
