"""Allocation under a budget: what it promises is what lies on disk."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from goodhart_gap.compression.allocation import read_allocation
from goodhart_gap.compression.budgeted import (
    allocate_budget,
    block_bytes,
    read_losses,
    write_why,
)
from goodhart_gap.compression.foresight import foresee_shard, write_foreseen
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.settings import Budget, ConditionSettings, Protection
from goodhart_gap.compression.shard import compress_shard
from goodhart_gap.config.families import budget_mistakes
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import write_json
from goodhart_gap.models.fingerprints import fingerprint_shard
from tests.unit.compression.cases import hessian, weight

BLOCKS, WIDTH = 4, 256
SHARDS = ("blocks000-001", "blocks002-003")
CANDIDATES = {
    "three": MatrixSettings(bits=3, rank=0),
    "four": MatrixSettings(bits=4, rank=8),
    "lattice": MatrixSettings(bits=4, rank=4, codebook="e8", hadamard=True, factor_bits=16),
    "eight": MatrixSettings(bits=8, rank=0, symmetric=True),
}
LOSS = {"three": 1.0, "four": 0.3, "lattice": 0.2, "eight": 0.01}
LOSSES = {(str(i), name): LOSS[name] * (1 + i) for i in range(BLOCKS) for name in LOSS}


class House:
    """Two shards of two blocks, with Hessians."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[dict[str, Any]] = []
        for shard in SHARDS:
            tensors, hessians, aliases = {}, {}, {}
            for i in range(int(shard[6:9]), int(shard[10:13]) + 1):
                for name in ("mlp.gate_proj", "mlp.up_proj"):
                    module = f"model.layers.{i}.{name}"
                    tensors[f"{module}.weight"] = weight(2 * WIDTH, WIDTH, i).bfloat16()
                    aliases[module] = f"model.layers.{i}.mlp.gate_proj"
                for split in ("train", "held_out"):
                    hessians[f"model.layers.{i}.mlp.gate_proj.{split}"] = hessian(WIDTH, i)
                tensors[f"model.layers.{i}.norm.weight"] = torch.ones(WIDTH).bfloat16()
            save_file(tensors, folder / f"{shard}.safetensors")
            save_file(
                hessians, folder / f"{shard}.hessians", metadata={"aliases": json.dumps(aliases)}
            )
            self.records.append(fingerprint_shard(folder / f"{shard}.safetensors", shard))
        self.parameters = BLOCKS * (4 * WIDTH * WIDTH + WIDTH)

    def allocate(self, bits: float, *choices: str) -> Any:
        budget = Budget(bits_per_parameter=bits, choices=choices or (*CANDIDATES, "base"))
        return allocate_budget("m", "c", budget, CANDIDATES, LOSSES, self.records)

    def bytes_on_disk(self, allocation: dict[str, Any]) -> int:
        write_json(self.folder / "allocation.json", allocation)
        total = 0
        for shard, record in zip(SHARDS, self.records, strict=True):
            path = self.folder / f"{shard}.compressed"
            compress_shard(
                self.folder / f"{shard}.safetensors",
                record,
                self.folder / f"{shard}.hessians",
                read_allocation(self.folder / "allocation.json"),
                path,
            )
            total += path.stat().st_size
        return total


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("house"))


@pytest.mark.parametrize("bits", [3.7, 4.8, 7.1, 11])
def test_bytes_on_disk_are_as_predicted_and_within_the_budget(house: House, bits: float) -> None:
    content = house.allocate(bits).content
    found = house.bytes_on_disk(content)
    assert found <= content["predicted_bytes"] <= content["budget_bytes"]
    assert content["budget_bytes"] == int(bits * house.parameters / 8)
    assert found == pytest.approx(content["predicted_bytes"], rel=0.01)


def test_more_bits_never_lose_more(house: House) -> None:
    def loss(bits: float) -> float:
        return sum(float(row["predicted_loss"]) for row in house.allocate(bits).why)

    losses = [loss(bits) for bits in (3.7, 4.5, 5.5, 8, 12, 17)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == 0
    assert len(set(losses)) == len(losses)


def test_what_matters_more_gets_more(house: House) -> None:
    """Losses grow with the block, sizes do not: so must the bits."""
    rows = house.allocate(6, "three", "eight").why
    assert [row["choice"] for row in rows] == ["three", "three", "eight", "eight"]


def test_a_block_left_as_it_is_is_protected(house: House) -> None:
    modules = house.allocate(6.6, "three", "base").content["modules"]
    chosen = {module.split(".")[2]: entry["protected"] for module, entry in modules.items()}
    assert list(chosen.values()).count(True) == 1
    assert chosen["3"]
    assert modules["model.layers.3.mlp.up_proj"]["settings"] is None
    assert modules["model.layers.0.mlp.up_proj"]["settings"]["bits"] == 3


def test_the_table_says_what_it_would_cost_otherwise(house: House, tmp_path: Path) -> None:
    allocated = house.allocate(6, "three", "eight")
    write_why(tmp_path / "why.csv", allocated.why)
    with (tmp_path / "why.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [int(row["block"]) for row in rows] == [0, 1, 2, 3]
    assert [row["runner_up"] for row in rows] == ["eight", "eight", "three", "three"]
    # Without `eight` in block 2 (loss 3 in place of .03), block 1 takes its place (.02 for 2).
    assert float(rows[2]["total_loss_without"]) == pytest.approx(3 - 0.03 + 0.02 - 2)
    assert sum(int(row["bytes"]) for row in rows) <= allocated.content["budget_bytes"]
    smallest = house.allocate(3.5, "three").why
    assert all(row["runner_up"] is None for row in smallest)


def test_too_small_a_budget_is_one_sentence(house: House) -> None:
    with pytest.raises(GoodhartError, match=r"condition c: budget.bits_per_parameter = 2: the sma"):
        house.allocate(2)


def test_a_choice_not_measured_is_named(house: House) -> None:
    budget = Budget(bits_per_parameter=8, choices=("three", "four"))
    losses = {key: value for key, value in LOSSES.items() if key != ("2", "four")}
    with pytest.raises(GoodhartError, match="choice four has not been measured in block 2"):
        allocate_budget("m", "c", budget, CANDIDATES, losses, house.records)


def test_sensitivity_is_read_by_its_loss(tmp_path: Path) -> None:
    path = tmp_path / "sensitivity.csv"
    path.write_text("block,condition,bytes,error,divergence\n0,a,10,0.5,0.25\n", encoding="utf-8")
    assert read_losses([path], "divergence") == {("0", "a"): 0.25}
    assert read_losses([path], "error") == {("0", "a"): 0.5}


@pytest.mark.parametrize("bits", [3.7, 4.8, 8.6])
def test_matrices_are_chosen_one_by_one_by_what_is_foreseen(house: House, bits: float) -> None:
    """Up to the byte on disk; norms, which no choice is about, count."""
    candidates = {
        "three": MatrixSettings(bits=3, rank=0, codebook="trellis", hadamard=True),
        "eight": MatrixSettings(bits=8, rank=0, hadamard=True),
    }
    paths = []
    for shard, record in zip(SHARDS, house.records, strict=True):
        base, hessians = house.folder / f"{shard}.safetensors", house.folder / f"{shard}.hessians"
        paths.append(house.folder / f"{shard}.csv")
        write_foreseen(paths[-1], foresee_shard(base, record, hessians, candidates, threads=2))
        alone = house.folder / "alone.csv"
        write_foreseen(alone, foresee_shard(base, record, hessians, candidates))
        assert alone.read_bytes() == paths[-1].read_bytes()
    losses = read_losses(paths, "foreseen")
    assert len(losses) == 2 * BLOCKS * 2
    budget = Budget(bits_per_parameter=bits, choices=("three", "eight"), loss="foreseen")
    allocated = allocate_budget("m", "c", budget, candidates, losses, house.records)
    content = allocated.content
    found = house.bytes_on_disk(content)
    assert found <= content["predicted_bytes"] <= content["budget_bytes"]
    assert found == pytest.approx(content["predicted_bytes"], rel=0.01)
    rows = {row["module"]: row for row in allocated.why}
    assert rows.keys() == content["modules"].keys()
    dear = [losses[name, "three"] for name, row in rows.items() if row["choice"] == "eight"]
    cheap = [losses[name, "three"] for name, row in rows.items() if row["choice"] == "three"]
    # All matrices are of one size, so those get most bits that lose most without them.
    assert min(dear, default=1) >= max(cheap, default=0)
    assert len(dear) == {3.7: 0, 4.8: 2, 8.6: 8}[bits]
    # The next best is worth less than what was chosen, about: bytes come in lumps.
    worth = [float(row["total_loss_without"]) for row in rows.values()]
    assert min(worth) > -0.1 * max(losses.values())
    assert {row["runner_up"] for row in rows.values()} <= {"three", "eight"}


def test_a_block_as_it_is_takes_its_tensors(house: House) -> None:
    size = block_bytes(house.records[0], 1, None)
    assert size == pytest.approx(2 * (4 * WIDTH * WIDTH + WIDTH), rel=0.01)


def test_a_budget_stands_alone() -> None:
    budget = {"bits_per_parameter": 4, "choices": ["base"]}
    for other in ({"compress": {}}, {"reuse": "x"}, {"protect": {"last": 1}}):
        with pytest.raises(ValidationError, match=r"a budget decides|has either"):
            ConditionSettings.model_validate({"budget": budget, **other})


@pytest.mark.parametrize(
    ("choice", "mistake"),
    [
        ("nothing", "unknown condition"),
        ("baseline", "name a condition that has `compress`"),
        ("selective", "leaves blocks out"),
        ("plain", "give it hadamard: true"),
    ],
)
def test_choices_are_checked(choice: str, mistake: str) -> None:
    conditions = {
        "baseline": ConditionSettings(),
        "uniform": ConditionSettings(compress=MatrixSettings(hadamard=True)),
        "plain": ConditionSettings(compress=MatrixSettings()),
        "selective": ConditionSettings(compress=MatrixSettings(), protect=Protection(last=1)),
    }
    budget = Budget(bits_per_parameter=4, choices=("uniform", "base", choice), loss="foreseen")
    (found,) = budget_mistakes(ConditionSettings(budget=budget), conditions)
    assert found[0] == choice
    assert mistake in found[1]
    measured = ConditionSettings(budget=Budget(bits_per_parameter=4, choices=("uniform", "plain")))
    assert not list(budget_mistakes(measured, conditions))
