"""Sensitivity of blocks, against whole models with one block replaced."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from goodhart_gap.compression.allocation import allocate, module_shapes, read_allocation
from goodhart_gap.compression.format import ShardReader, read_shard
from goodhart_gap.compression.sensitivity import measure_sensitivity, write_sensitivity
from goodhart_gap.compression.settings import ConditionSettings
from goodhart_gap.compression.shard import compress_shard
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json, write_json
from goodhart_gap.models.skeleton import read_config
from goodhart_gap.runtime.load import load_model
from tests.unit.calibration.test_hessians import SHARDS, run, write_tokens
from tests.unit.conftest import Folders

CONDITIONS = {
    "two": {"bits": 2, "rank": 0, "group_size": 32},
    "four": {"bits": 4, "rank": 4, "group_size": 32},
}


def compress(base: Path, folder: Path) -> dict[str, list[Path]]:
    """Calibrate and compress under both conditions, as the rules do."""
    run(base, folder)
    records = [read_json(base / f"{shard}.fingerprint.json") for shard in SHARDS]
    compressed: dict[str, list[Path]] = {}
    for condition, settings in CONDITIONS.items():
        (folder / condition).mkdir()
        content = allocate(
            "m",
            condition,
            ConditionSettings.model_validate({"compress": settings}),
            module_shapes(records),
        )
        write_json(folder / condition / "allocation.json", content)
        for shard, record in zip(SHARDS, records, strict=True):
            record = {**record, "fingerprint": f"fingerprint of {shard}"}
            path = folder / condition / f"{shard}.safetensors"
            compress_shard(
                base / f"{shard}.safetensors",
                record,
                folder / f"{shard}.safetensors",
                read_allocation(folder / condition / "allocation.json"),
                path,
            )
            compressed.setdefault(condition, []).append(path)
    return compressed


def log_probabilities(
    base: Path, ids: torch.Tensor, changes: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """What a whole model says of the next tokens, float64, with some weights changed."""
    shards = [base / f"{name}.safetensors" for name in ("embeddings", *SHARDS)]
    model = load_model(base / "config.json", base / "fingerprint.json", shards, dtype="float32")
    with torch.inference_mode():
        for name, value in changes.items():
            model.get_parameter(name).copy_(value)
        return model.double()(ids).logits.log_softmax(dim=-1)


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_divergence_is_that_of_the_model_with_one_block_compressed(
    family: str, bases: Folders, tmp_path: Path
) -> None:
    base = bases(family)
    tokens = write_tokens(tmp_path / "tokens.safetensors")
    compressed = compress(base, tmp_path)
    shards = [base / f"{shard}.safetensors" for shard in SHARDS]
    found = measure_sensitivity(
        read_config(base),
        tmp_path / "tokens.safetensors",
        base / "embeddings.safetensors",
        shards,
        compressed,
        limit=80,
    )
    assert [(each.block, each.condition) for each in found] == [
        (block, condition) for block in range(2) for condition in CONDITIONS
    ]
    ids = tokens["held_out"].long()
    before = log_probabilities(base, ids, {})
    for each in found:
        path = compressed[each.condition][each.block]
        after = log_probabilities(base, ids, dict(read_shard(path)))
        divergence = float((before.exp() * (before - after)).sum(dim=-1).mean())
        assert each.divergence == pytest.approx(divergence, rel=1e-3, abs=1e-7)
        with ShardReader(path) as reader:
            modules = reader.record.modules
        errors = [module.fidelity["weighted_error"] ** 2 for module in modules.values()]
        assert each.error == pytest.approx(sum(errors))
        packed = [value for name, value in load_file(path).items() if "norm" not in name]
        assert each.size_bytes == sum(part.numel() * part.element_size() for part in packed)
    by_name = {(each.block, each.condition): each.divergence for each in found}
    for block in range(2):
        assert 0 < by_name[block, "four"] < by_name[block, "two"]


def test_table_and_limit(bases: Folders, tmp_path: Path) -> None:
    base = bases("llama")
    write_tokens(tmp_path / "tokens.safetensors")
    compressed = compress(base, tmp_path)
    shards = [base / f"{shard}.safetensors" for shard in SHARDS]
    found = measure_sensitivity(
        read_config(base),
        tmp_path / "tokens.safetensors",
        base / "embeddings.safetensors",
        shards,
        compressed,
        limit=1,
    )
    assert {tuple(each.hidden.shape[:2]) for each in found} == {(1, 40)}
    write_sensitivity(tmp_path / "sensitivity.csv", found)
    with (tmp_path / "sensitivity.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["block"], row["condition"]) for row in rows] == [
        ("0", "four"),
        ("0", "two"),
        ("1", "four"),
        ("1", "two"),
    ]
    assert all(float(row["divergence"]) > 0 for row in rows)


def test_a_shard_without_a_weight_is_named(bases: Folders, tmp_path: Path) -> None:
    base = bases("llama")
    write_tokens(tmp_path / "tokens.safetensors")
    compressed = compress(base, tmp_path)
    swapped = {name: [*reversed(paths)] for name, paths in compressed.items()}
    with pytest.raises(GoodhartError, match=r"blocks001-001.safetensors: has no weight"):
        measure_sensitivity(
            read_config(base),
            tmp_path / "tokens.safetensors",
            base / "embeddings.safetensors",
            [base / f"{shard}.safetensors" for shard in SHARDS],
            swapped,
            limit=40,
        )
