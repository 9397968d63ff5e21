"""Which modules a condition leaves out."""

import pytest

from goodhart_gap.compression.allocation import allocate, module_shapes, read_allocation
from goodhart_gap.compression.settings import ConditionSettings, MatrixSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import write_json


def record(blocks: range) -> dict:
    tensors = {}
    for block in blocks:
        prefix = f"model.layers.{block}"
        for name, shape in (
            ("mlp.down_proj.weight", [8, 16]),
            ("self_attn.q_proj.weight", [8, 8]),
            ("self_attn.q_proj.bias", [8]),
            ("input_layernorm.weight", [8]),
        ):
            tensors[f"{prefix}.{name}"] = {"shape": shape, "dtype": "BF16", "sha256": ""}
    return {"shard": "x", "fingerprint": "y", "tensors": tensors}


SHAPES = module_shapes([record(range(8, 12)), record(range(8))])


def allocation(**protect: object) -> dict[str, dict]:
    settings = ConditionSettings.model_validate({"compress": {"bits": 3}, "protect": protect})
    return allocate("m", "c", settings, SHAPES)["modules"]


def protected(**protect: object) -> list[str]:
    return [name for name, entry in allocation(**protect).items() if entry["protected"]]


def test_shapes_are_the_matrices_in_block_order() -> None:
    assert len(SHAPES) == 24
    assert list(SHAPES)[:2] == ["model.layers.0.mlp.down_proj", "model.layers.0.self_attn.q_proj"]
    assert list(SHAPES)[-1] == "model.layers.11.self_attn.q_proj"
    assert SHAPES["model.layers.3.mlp.down_proj"] == (8, 16)


def test_rules_of_protection() -> None:
    assert protected() == []
    assert {name.split(".")[2] for name in protected(first=1, last=2)} == {"0", "10", "11"}
    assert {name.split(".")[2] for name in protected(blocks=[4, 9])} == {"4", "9"}
    assert protected(patterns=["*.1.*"]) == [
        "model.layers.1.mlp.down_proj",
        "model.layers.1.self_attn.q_proj",
    ]
    assert len(protected(patterns=["*.down_proj"], last=1)) == 13
    assert len(protected(first=12)) == 24


def test_settings_reach_the_unprotected_only(tmp_path) -> None:
    entries = allocation(last=1)
    write_json(tmp_path / "allocation.json", {"modules": entries})
    read = read_allocation(tmp_path / "allocation.json")
    assert read["model.layers.0.mlp.down_proj"] == MatrixSettings(bits=3)
    assert read["model.layers.11.mlp.down_proj"] is None


@pytest.mark.parametrize(
    ("protect", "message"),
    [
        ({"last": 13}, "protect.last is 13, but the model has 12 blocks"),
        ({"first": 99}, "protect.first is 99, but the model has 12 blocks"),
        ({"blocks": [3, 12]}, "protect.blocks names block 12, but the model's blocks are 0 to 11"),
        ({"patterns": ["*.o_proj"]}, r"protect.patterns: '\*.o_proj' matches no module"),
    ],
)
def test_a_rule_that_matches_nothing_is_an_error(protect: dict, message: str) -> None:
    with pytest.raises(GoodhartError, match=f"condition c: {message}"):
        allocation(**protect)


def test_nothing_to_allocate() -> None:
    with pytest.raises(GoodhartError, match="condition c: has no `compress`"):
        allocate("m", "c", ConditionSettings(), SHAPES)
