"""From a base shard and Hessians to a compressed shard, and to a checkpoint."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from goodhart_gap.compression.allocation import allocate, module_shapes, read_allocation
from goodhart_gap.compression.assemble import assemble, check_floor, write_config, write_fidelity
from goodhart_gap.compression.format import ShardReader, read_shard
from goodhart_gap.compression.settings import ConditionSettings
from goodhart_gap.compression.shard import LITTLE_WORK, compress_shard
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json, write_json
from goodhart_gap.models.fingerprints import fingerprint_model, fingerprint_shard
from tests.unit.compression.cases import hessian, weight

SHARD = "blocks000-001"
SETTINGS = {
    "scalar": {"group_size": 24, "rank": 5, "factor_bits": 3},
    "exact": {"bits": 8, "symmetric": True, "rank": 0},
    "e8": {"codebook": "e8", "hadamard": True, "bits": 3, "rank": 4, "factor_bits": 2},
    "trellis": {"codebook": "trellis", "hadamard": True, "bits": 4, "rank": 4, "factor_bits": 16},
}


class House:
    """A base of two blocks with all its neighbours, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.base = folder / "base"
        self.base.mkdir()
        self.condition = folder / "c"
        self.condition.mkdir()
        self.weights: dict[str, torch.Tensor] = {}
        hessians, aliases = {}, {}
        for block in range(2):
            attention, mlp = f"model.layers.{block}.self_attn", f"model.layers.{block}.mlp"
            for name, rows, columns, owner in (
                (f"{attention}.q_proj", 40, 40, f"{attention}.q_proj"),
                (f"{attention}.k_proj", 24, 40, f"{attention}.q_proj"),
                (f"{mlp}.down_proj", 40, 72, f"{mlp}.down_proj"),
            ):
                self.weights[f"{name}.weight"] = weight(rows, columns, len(name) + block)
                aliases[name] = owner
                if name == owner:
                    hessians[f"{name}.train"] = hessian(columns, block)
                    hessians[f"{name}.held_out"] = hessian(columns, block, 3 * columns)
            self.weights[f"{attention}.q_proj.bias"] = weight(1, 40, 0)[0]
            self.weights[f"model.layers.{block}.input_layernorm.weight"] = torch.ones(40)
        self.weights = {name: value.bfloat16() for name, value in self.weights.items()}
        save_file(self.weights, self.base / f"{SHARD}.safetensors")
        self.embeddings = {"model.embed_tokens.weight": weight(50, 40, 9).bfloat16()}
        save_file(self.embeddings, self.base / "embeddings.safetensors")
        self.hessians = folder / "hessians.safetensors"
        save_file(hessians, self.hessians, metadata={"aliases": json.dumps(aliases)})
        self.record = fingerprint_shard(self.base / f"{SHARD}.safetensors", SHARD)
        self.embeddings_record = fingerprint_shard(
            self.base / "embeddings.safetensors", "embeddings"
        )
        write_json(self.base / "config.json", {"model_type": "llama"})

    def allocation(self, **condition: Any) -> dict:
        settings = ConditionSettings.model_validate(condition)
        content = allocate("m", "c", settings, module_shapes([self.record]))
        write_json(self.condition / "allocation.json", content)
        return read_allocation(self.condition / "allocation.json")

    def compress(self, workers: int = 1, **condition: Any) -> Path:
        path = self.condition / f"{SHARD}.safetensors"
        compress_shard(
            self.base / f"{SHARD}.safetensors",
            self.record,
            self.hessians,
            self.allocation(**condition),
            path,
            workers=workers,
        )
        return path

    def assemble(self, minimum_correlation: float = 0.5, **condition: Any):
        return assemble(
            [self.condition / f"{SHARD}.safetensors"],
            self.base / "embeddings.safetensors",
            self.condition,
            fingerprint_model([self.embeddings_record, self.record]),
            self.allocation(**condition),
            minimum_correlation,
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize("kind", SETTINGS)
def test_dense_weights_come_back_under_their_names(house: House, kind: str) -> None:
    path = house.compress(compress=SETTINGS[kind], protect={"patterns": ["*.1.mlp.*"]})
    dense = dict(read_shard(path))
    assert dense.keys() == house.weights.keys()
    for name, base in house.weights.items():
        assert dense[name].dtype == torch.bfloat16
        if name.removesuffix(".weight") not in ShardReader(path).record.modules:
            assert torch.equal(dense[name], base)
        else:
            error = float((dense[name].float() - base.float()).norm() / base.float().norm())
            assert 0 < error < (0.05 if kind == "exact" else 0.3)
    assert "model.layers.1.mlp.down_proj.weight" in load_file(path)


def test_fidelity_is_that_of_the_stored_weight(house: House) -> None:
    path = house.compress(compress=SETTINGS["scalar"])
    hessians = load_file(house.hessians)
    with ShardReader(path) as reader:
        module = "model.layers.0.self_attn.k_proj"
        stored = reader.record.modules[module]
        base = house.weights[f"{module}.weight"].double()
        error = base - reader.approximation(module).dense().double()
        held_out = hessians["model.layers.0.self_attn.q_proj.held_out"].double()
    ratio = torch.trace(error @ held_out @ error.T) / torch.trace(base @ held_out @ base.T)
    assert stored.fidelity["held_out_error"] == pytest.approx(float(ratio) ** 0.5, rel=1e-3)
    assert stored.rank == 5
    assert stored.settings.group_size == 24


@pytest.mark.parametrize("little", [0, LITTLE_WORK])
def test_workers_do_not_change_the_result(
    house: House, little: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor whether there is work enough for processes of their own."""
    monkeypatch.setattr("goodhart_gap.compression.shard.LITTLE_WORK", little)
    alone = load_file(house.compress(compress=SETTINGS["scalar"]))
    shared = load_file(house.compress(workers=2, compress=SETTINGS["scalar"]))
    assert alone.keys() == shared.keys()
    assert all(torch.equal(alone[name], shared[name]) for name in alone)


def test_another_base_is_refused(house: House) -> None:
    house.record["tensors"]["model.layers.0.self_attn.q_proj.weight"]["sha256"] = "0" * 64
    with pytest.raises(GoodhartError, match=r"base/blocks000-001.*q_proj.weight is not the tensor"):
        house.compress(compress={})


def test_hessians_of_another_base_are_refused(house: House) -> None:
    content = load_file(house.hessians)
    save_file(content, house.hessians, metadata={"aliases": "{}", "base_fingerprint": "abc"})
    with pytest.raises(GoodhartError, match=r"hessians.*made from base shard abc"):
        house.compress(compress={})


def test_nan_in_a_weight_is_named(house: House) -> None:
    house.weights["model.layers.1.mlp.down_proj.weight"][3, 4] = float("nan")
    save_file(house.weights, house.base / f"{SHARD}.safetensors")
    house.record = fingerprint_shard(house.base / f"{SHARD}.safetensors", SHARD)
    with pytest.raises(GoodhartError, match=r"^model.layers.1.mlp.down_proj: .*not finite"):
        house.compress(compress={})


def test_a_fidelity_that_is_no_number_is_named(house: House) -> None:
    name = "model.layers.1.mlp.down_proj"
    house.weights[f"{name}.weight"] *= 1e30  # finite, but its square is not
    save_file(house.weights, house.base / f"{SHARD}.safetensors")
    house.record = fingerprint_shard(house.base / f"{SHARD}.safetensors", SHARD)
    with pytest.raises(GoodhartError, match=rf"^{name}: the relative_error .* is nan.*protect"):
        house.compress(compress={"method": "rtn", "rank": 0})


def test_assembled_checkpoint(house: House, tmp_path: Path) -> None:
    condition = {"compress": SETTINGS["scalar"], "protect": {"blocks": [1]}}
    house.compress(**condition)
    checkpoint = house.assemble(**condition)
    names = house.weights | house.embeddings
    assert checkpoint.weight_map.keys() == names.keys()
    assert checkpoint.weight_map["model.embed_tokens.weight"] == "../base/embeddings.safetensors"
    assert [row["protected"] for row in checkpoint.rows].count(True) == 3
    for row in checkpoint.rows:
        if row["protected"]:
            assert (row["bits_per_parameter"], row["correlation"]) == (16, 1)
        else:
            assert 4 < row["bits_per_parameter"] < 9
            assert row["correlation"] > 0.95
    assert 8 < checkpoint.linear_bits < 12.5
    files = [*house.condition.glob("*.safetensors"), house.base / "embeddings.safetensors"]
    on_disk = sum(tensor.nbytes for path in files for tensor in load_file(path).values())
    parameters = sum(tensor.numel() for tensor in names.values())
    assert checkpoint.model_bits == pytest.approx(8 * on_disk / parameters)
    write_fidelity(tmp_path / "fidelity.csv", checkpoint.rows)
    assert len((tmp_path / "fidelity.csv").read_text().splitlines()) == 7
    write_config(tmp_path / "x.json", house.base / "config.json", checkpoint, "c", "f")
    quantization = read_json(tmp_path / "x.json")["quantization_config"]
    assert quantization["quant_method"] == "caldera"
    assert len(quantization["modules_to_not_convert"]) == 3


def test_floor_names_the_module(house: House) -> None:
    condition = {"compress": {"method": "rtn", "bits": 2, "group_size": 64}}
    house.compress(**condition)
    with pytest.raises(GoodhartError, match=r"^model.layers.\d.*under minimum_correlation 0.999"):
        house.assemble(minimum_correlation=0.999, **condition)


def test_a_correlation_that_is_no_number_is_under_any_floor() -> None:
    with pytest.raises(GoodhartError, match=r"^m: .*correlates nan .*under minimum_correlation 0"):
        check_floor([{"module": "m", "correlation": float("nan")}], 0.0)


def test_shard_of_other_settings_is_refused(house: House) -> None:
    house.compress(compress={"rank": 2})
    with pytest.raises(GoodhartError, match=r"model.layers.0.* is not stored as allocated"):
        house.assemble(compress={"rank": 3})


def test_shard_of_another_base_is_refused(house: House) -> None:
    house.compress(compress={})
    house.record = {**house.record, "fingerprint": "f" * 64}
    with pytest.raises(GoodhartError, match=rf"{SHARD}.safetensors: made from base shard"):
        house.assemble(compress={})


def test_bytes_that_do_not_add_up_are_refused(house: House) -> None:
    path = house.compress(compress={})
    with ShardReader(path) as reader:
        metadata = {"caldera": reader.record.model_dump_json()}
    content = load_file(path)
    name = "model.layers.0.mlp.down_proj.codes"
    content[name] = torch.cat([content[name], content[name]])
    save_file(content, path, metadata=metadata)
    with pytest.raises(GoodhartError, match="but the settings account for"):
        house.assemble(compress={})
