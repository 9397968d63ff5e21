"""A condition takes modules from the shards of others, and loads as their mixture."""

from pathlib import Path
from typing import Any

import pytest
import torch

from goodhart_gap.compression.allocation import allocate, module_shapes
from goodhart_gap.compression.assemble import assemble, parameters_of, write_index
from goodhart_gap.compression.assemble_reuse import assemble_reused
from goodhart_gap.compression.format import read_shard
from goodhart_gap.compression.reuse import allocate_reuse, shards_of_origins
from goodhart_gap.compression.settings import ConditionSettings, MatrixSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json
from goodhart_gap.runtime.load import load_model
from tests.made_shards import write_compressed
from tests.unit.compression.test_allocation import SHAPES
from tests.unit.conftest import Folders


def condition(**given: object) -> ConditionSettings:
    return ConditionSettings.model_validate(given)


ALLOCATIONS = {
    f"u{bits}": allocate("m", f"u{bits}", condition(compress={"bits": bits}), SHAPES)
    for bits in (3, 4)
}


def origins(**given: object) -> dict[int, str]:
    modules = allocate_reuse("m", "c", condition(**given), SHAPES, ALLOCATIONS)["modules"]
    found = {int(name.split(".")[2]): entry["origin"] for name, entry in modules.items()}
    assert len(modules) == 24
    return found


def test_blocks_come_from_where_they_are_said_to() -> None:
    assert set(origins(reuse="u3").values()) == {"u3"}
    last = origins(reuse="u3", protect={"last": 2})
    assert [last[block] for block in (9, 10, 11)] == ["u3", "base", "base"]
    mixed = origins(reuse={"u4": [0, 5], "u3": "rest"}, protect={"first": 1})
    assert [mixed[block] for block in (0, 1, 5, 11)] == ["base", "u3", "u4", "u3"]


def test_settings_are_those_of_the_origin() -> None:
    content = allocate_reuse(
        "m", "c", condition(reuse={"u4": [0], "u3": "rest"}), SHAPES, ALLOCATIONS
    )["modules"]
    assert content["model.layers.0.mlp.down_proj"]["settings"]["bits"] == 4
    assert content["model.layers.1.mlp.down_proj"]["settings"]["bits"] == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"reuse": {"u3": [0, 12]}}, "reuse names block 12, but the model's blocks are 0 to 11"),
        ({"reuse": {"u3": [0, 1]}}, "block 2 comes from no condition"),
        ({"reuse": "u3", "protect": {"last": 13}}, "protect.last is 13"),
    ],
)
def test_what_cannot_be_allocated(given: dict[str, object], message: str) -> None:
    with pytest.raises(GoodhartError, match=f"condition c: {message}"):
        origins(**given)


@pytest.mark.parametrize(
    ("given", "shards"),
    [
        ({"reuse": "u"}, "u:0 u:2 u:4"),
        ({"reuse": "u", "protect": {"last": 2}}, "u:0 u:2 base:4"),
        ({"reuse": "u", "protect": {"last": 1}}, "u:0 u:2 base:4 u:4"),
        ({"reuse": {"a": [0, 2], "b": "rest"}}, "a:0 b:0 a:2 b:2 b:4"),
        (
            {"reuse": "u", "protect": {"patterns": ["*"], "first": 2}},
            "base:0 base:2 u:2 base:4 u:4",
        ),
        ({"reuse": "u", "protect": {"last": 99}}, "base:0 base:2 base:4"),
    ],
)
def test_sampling_needs_exactly_these_shards(given: dict[str, object], shards: str) -> None:
    found = shards_of_origins(condition(**given), blocks=6, blocks_per_shard=2)
    assert " ".join(f"{origin}:{int(shard[6:9])}" for origin, shard in found) == shards


BITS = {"two": 2, "eight": 8}


class House:
    """A model's folder with its base and two compressed conditions."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder = folder
        (folder / "base").symlink_to(base)
        self.base = folder / "base"
        self.known = read_json(base / "fingerprint.json")
        self.shapes = module_shapes(self.known["shards"].values())
        self.shards = sorted(set(self.known["shards"]) - {"embeddings"})
        self.allocations = {}
        for name, bits in BITS.items():
            settings = condition(compress={"bits": bits, "group_size": 16, "rank": 0})
            self.allocations[name] = allocate("m", name, settings, self.shapes)
            assert settings.compress is not None
            write_compressed(base, folder / name, settings.compress)

    def assemble(self, settings: ConditionSettings, minimum: float = 0.9) -> Any:
        content = allocate_reuse("m", "c", settings, self.shapes, self.allocations)["modules"]
        self.paths = [
            self.folder / origin / f"{shard}.safetensors"
            for origin, shard in shards_of_origins(settings, len(self.shards), 1)
        ]
        read = {
            name: {
                module: MatrixSettings.model_validate(entry["settings"])
                for module, entry in allocation["modules"].items()
            }
            for name, allocation in self.allocations.items()
        }
        return assemble_reused(
            self.paths,
            self.base / "embeddings.safetensors",
            self.folder / "c",
            self.known,
            {module: entry["origin"] for module, entry in content.items()},
            read,
            minimum,
        )

    def load(self, checkpoint: Any, weights: str) -> dict[str, torch.Tensor]:
        index = self.folder / "c" / "model.safetensors.index.json"
        write_index(index, checkpoint, 0)
        model = load_model(
            self.base / "config.json",
            self.base / "fingerprint.json",
            [self.base / "embeddings.safetensors", *self.paths],
            weights=weights,
            index=index,
        )
        with torch.inference_mode():
            # A layer of either kind multiplies by its weight.
            return {
                name: model.get_submodule(name)(torch.eye(shape[1])).T
                for name, shape in self.shapes.items()
            }


@pytest.fixture
def house(bases: Folders, tmp_path: Path) -> House:
    return House(tmp_path, bases("llama"))


def dense(house: House, name: str, module: str) -> torch.Tensor:
    for path in sorted((house.folder / name).glob("blocks*.safetensors")):
        for tensor, value in read_shard(path, {f"{module}.weight"}):
            assert tensor == f"{module}.weight"
            return value
    raise AssertionError(module)


@pytest.mark.parametrize("weights", ["dense", "packed"])
def test_every_module_is_the_one_of_its_origin(house: House, weights: str) -> None:
    settings = condition(
        reuse={"two": [1], "eight": "rest"}, protect={"patterns": ["*.0.*.o_proj"]}
    )
    checkpoint, _ = house.assemble(settings)
    assert {Path(file).parent.name for file in checkpoint.weight_map.values()} == {
        "base",
        "two",
        "eight",
    }
    loaded = house.load(checkpoint, weights)
    seen = set()
    for module, weight in loaded.items():
        origin = "two" if ".1." in module else "eight"
        origin = "base" if module == "model.layers.0.self_attn.o_proj" else origin
        # The base's format is float32 and the shards' bfloat16, to which only `dense` rounds.
        assert torch.allclose(weight, dense(house, origin, module).float(), rtol=5e-3, atol=1e-3)
        seen.add(origin)
    assert seen == {"base", "two", "eight"}
    by_module = {row["module"]: row for row in checkpoint.rows}
    assert by_module["model.layers.0.self_attn.o_proj"]["correlation"] == 1
    assert by_module["model.layers.0.self_attn.q_proj"]["bits"] == 8
    assert by_module["model.layers.1.self_attn.q_proj"]["bits"] == 2


def test_bytes_are_counted_of_what_is_taken(house: House) -> None:
    whole, whole_bytes = house.assemble(condition(reuse="eight", protect={"first": 2}))
    assert whole.linear_bits == 32
    weights = sum(
        value.nbytes for path in house.base.glob("*.safetensors") for _, value in read_shard(path)
    )
    assert whole_bytes == weights
    parameters = sum(parameters_of(house.known, shard) for shard in house.known["shards"])
    assert whole.model_bits == 8 * weights / parameters == 32
    half, half_bytes = house.assemble(condition(reuse="eight", protect={"first": 1}))
    # 8 bits, and a scale and a zero point of 24 bits for every 16 weights.
    assert half.linear_bits == pytest.approx((32 + 8 + 24 / 16) / 2)
    saved = sum(a["bytes"] - b["bytes"] for a, b in zip(whole.rows, half.rows, strict=True))
    assert whole_bytes - half_bytes == saved


def test_a_condition_of_one_other_counts_as_that_one(house: House) -> None:
    reused, _ = house.assemble(condition(reuse="eight"))
    allocation = {
        module: MatrixSettings.model_validate(entry["settings"])
        for module, entry in house.allocations["eight"]["modules"].items()
    }
    itself = assemble(
        sorted((house.folder / "eight").glob("blocks*.safetensors")),
        house.base / "embeddings.safetensors",
        house.folder / "eight",
        house.known,
        allocation,
        0.9,
    )
    assert reused.linear_bits == itself.linear_bits
    assert reused.model_bits == itself.model_bits


def test_the_checks_of_a_compressed_condition_hold(house: House) -> None:
    settings = condition(reuse="two", protect={"last": 1})
    with pytest.raises(GoodhartError, match=r"under minimum_correlation 0\.99"):
        house.assemble(settings, minimum=0.99)
    house.allocations["two"]["modules"]["model.layers.0.mlp.up_proj"]["settings"]["bits"] = 3
    with pytest.raises(GoodhartError, match="is not stored as allocated"):
        house.assemble(settings)


def test_a_shard_of_another_base_is_refused(house: House) -> None:
    shard = house.shards[0]
    house.known["shards"][shard]["fingerprint"] = "f" * 64
    with pytest.raises(GoodhartError, match=f"{shard} of this base is {'f' * 64}"):
        house.assemble(condition(reuse="two"))
    tensors = house.known["shards"][shard]["tensors"]
    tensors.pop(next(iter(tensors)))
    with pytest.raises(GoodhartError, match=f"not the base shard {shard}"):
        house.assemble(condition(reuse="two", protect={"last": 1, "first": 1}))


def test_an_index_that_names_a_missing_file(house: House) -> None:
    checkpoint, _ = house.assemble(condition(reuse="two", protect={"first": 1}))
    house.paths = house.paths[1:]
    with pytest.raises(GoodhartError, match="not among the shards given"):
        house.load(checkpoint, "dense")
