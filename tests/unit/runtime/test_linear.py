"""Every way of computing with a packed layer gives what its dense weight gives."""

import importlib.util
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from goodhart_gap.compression.format import ModuleRecord, stored_tensors
from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.runtime import factors, int4, stored
from goodhart_gap.runtime.linear import CalderaLinear
from tests.unit.compression.cases import hessian, weight

LAYOUTS = {
    "four bits": {"group_size": 32, "rank": 4},
    "symmetric": {"group_size": 32, "rank": 4, "symmetric": True, "factor_bits": 16},
    "thin": {"group_size": 32, "rank": 16},
    "no factors": {"group_size": 64, "rank": 0},
    "ragged groups": {"group_size": 40, "rank": 3, "factor_bits": 3},
    "two bits": {"bits": 2, "group_size": 32, "rank": 4, "factor_bits": 2},
    "three bits": {"bits": 3, "group_size": 24, "rank": 4},
    "eight bits": {"bits": 8, "group_size": 32, "rank": 4, "factor_bits": 8},
    "rotated": {"group_size": 32, "rank": 4, "hadamard": True},
    "lattice": {"codebook": "e8", "hadamard": True, "bits": 2, "rank": 4},
    "lattice of 3 bits": {"codebook": "e8", "hadamard": True, "bits": 3, "rank": 0},
    "lattice of 4 bits": {"codebook": "e8", "hadamard": True, "bits": 4, "rank": 4},
    "trellis": {"codebook": "trellis", "hadamard": True, "bits": 2, "rank": 4},
    "trellis of 3 bits": {"codebook": "trellis", "hadamard": True, "bits": 3, "rank": 4},
}


def layer(rows: int = 80, columns: int = 128, **settings: object) -> CalderaLinear:
    chosen = MatrixSettings.model_validate(settings)
    metric = Metric(hessian(columns, 0), chosen.damping)
    found = compress_matrix(weight(rows, columns, 1), metric, chosen, "m")
    rank = 0 if found.factors is None else found.factors.left.shape[1]
    record = ModuleRecord(shape=(rows, columns), rank=rank, settings=chosen, fidelity={})
    bias = nn.Parameter(weight(1, rows, 2)[0], requires_grad=False)
    return CalderaLinear(record, stored_tensors(found), bias)


def inputs(columns: int = 128) -> torch.Tensor:
    return weight(3, columns, 5).view(1, 3, columns)


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference, in standard deviations of what is expected."""
    return float((found.double() - expected.double()).abs().max() / expected.double().std())


@torch.inference_mode()
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_packed_is_dense(layout: str, dtype: torch.dtype, tolerance: float) -> None:
    packed = layer(**LAYOUTS[layout])
    expected = packed.dense(torch.float32)(inputs())
    found = packed.prepare(dtype)(inputs().to(dtype))
    assert found.dtype == dtype
    assert found.shape == expected.shape
    assert difference(found, expected) < tolerance


@torch.inference_mode()
@pytest.mark.parametrize("layout", ["two bits", "three bits", "lattice of 4 bits", "trellis"])
def test_rows_are_formed_a_few_at_a_time(layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = layer(rows=100, **LAYOUTS[layout]).prepare(torch.float32)
    whole = packed(inputs())
    monkeypatch.setattr(stored, "ENTRIES_AT_ONCE", 16 * 128)
    sizes = [
        part.numel() for _, part in stored.row_blocks(packed.parts(), packed.record, whole.dtype)
    ]
    assert len(sizes) > 3
    assert max(sizes) <= 16 * 128
    assert difference(packed(inputs()), whole) < 1e-6


@pytest.mark.parametrize(
    ("layout", "dtype", "way"),
    [
        ("four bits", torch.bfloat16, "int4"),
        ("rotated", torch.bfloat16, "int4"),
        ("symmetric", torch.bfloat16, "int4"),
        ("four bits", torch.float32, "stored"),
        ("ragged groups", torch.bfloat16, "stored"),
        ("three bits", torch.bfloat16, "stored"),
        ("lattice", torch.bfloat16, "stored"),
    ],
)
def test_the_fastest_way_that_serves_is_taken(layout: str, dtype: torch.dtype, way: str) -> None:
    assert layer(**LAYOUTS[layout]).prepare(dtype).way == way


@pytest.mark.parametrize("layout", ["four bits", "symmetric", "thin"])
def test_preparing_can_be_undone(layout: str) -> None:
    packed = layer(rows=1056, **LAYOUTS[layout])
    # Factors that are held as numbers stay so.
    before = {
        name: part.clone()
        for name, part in packed.parts().items()
        if "." not in name or layout == "thin"
    }
    packed.prepare(torch.bfloat16)
    assert packed.way == "int4"
    after = packed.restore().parts()
    assert all(torch.equal(after[name], part) for name, part in before.items())
    assert layout != "thin" or "left.codes" in after


def side(start: str, packed: CalderaLinear) -> dict[str, torch.Tensor]:
    """The parts of one factor."""
    parts = packed.parts().items()
    return {name.removeprefix(start): part for name, part in parts if name.startswith(start)}


@torch.inference_mode()
@pytest.mark.parametrize("layout", ["thin", "two bits", "three bits"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_left_factor_is_the_stored_one(layout: str, dtype: torch.dtype) -> None:
    packed = layer(rows=96, **LAYOUTS[layout])
    own = side("left.", packed)
    held = factors.hold_left(own, packed.record, dtype)
    assert held.keys() == {"levels", "half_scales"}
    expected = factors.numbers(own, packed.record, 96, torch.float32).to(dtype)
    assert torch.equal(factors.left_numbers(held, packed.record, dtype), expected)


@torch.inference_mode()
def test_the_right_factor_of_the_kernel_is_the_stored_one() -> None:
    packed = layer(**LAYOUTS["thin"])
    own = side("right.", packed)
    held = factors.hold_right(own, packed.record, torch.bfloat16, by_int4=True)
    assert held.keys() == {"codes", "scales_offsets"}
    unit = torch.eye(128, dtype=torch.bfloat16)
    found = factors.right_product(unit, held, packed.record)
    assert torch.equal(found.T, factors.numbers(own, packed.record, 128, torch.bfloat16))


def test_packed_bytes_are_the_stored_ones() -> None:
    packed = layer(rows=256, columns=256, group_size=64, rank=0)
    size = sum(part.nbytes for part in packed.parts().values())
    packed.prepare(torch.bfloat16)
    # Offsets take 16 bits for each group of 64 weights, zero points 4.
    assert sum(part.nbytes for part in packed.parts().values()) == size + 256 * 4 * 3 // 2


def test_factors_take_little_more_than_they_are_stored_in() -> None:
    packed = layer(rows=256, columns=256, group_size=64, rank=16)
    size = sum(part.nbytes for part in packed.parts().values())
    packed.prepare(torch.bfloat16)
    # L takes a byte for each of its 4-bit codes; R has an offset of 16 bits for each group.
    more = 16 * 256 // 2 + 16 * 4 * 2
    assert sum(part.nbytes for part in packed.parts().values()) == size + 256 * 4 * 3 // 2 + more


def test_dtypes_of_codes_survive_a_cast() -> None:
    packed = layer(group_size=32, rank=4).prepare(torch.bfloat16)
    kinds = {name: part.dtype for name, part in packed.parts().items()}
    packed.to(torch.float64)
    assert {name: part.dtype for name, part in packed.parts().items()} == kinds


@pytest.mark.parametrize("layout", ["trellis", "lattice", "four bits", "three bits", "thin"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("prepared", [False, True])
def test_no_number_changes_under_a_cast(layout: str, dtype: torch.dtype, prepared: bool) -> None:
    packed = layer(**LAYOUTS[layout])
    if (scale := packed.parts().get("scale")) is not None:
        # float32: bfloat16 would round it.
        assert scale != scale.bfloat16()
    else:
        # float16 would round it, since it is so small.
        packed.scales.mul_(1e-5)
        assert not torch.equal(packed.scales, packed.scales.half().bfloat16())
    if prepared:
        packed.prepare(torch.bfloat16)
    before = {name: part.clone() for name, part in packed.parts().items()}
    nn.Sequential(packed).to(dtype)
    after = packed.parts()
    assert after.keys() == before.keys()
    for name, part in before.items():
        assert after[name].dtype == part.dtype, name
        assert torch.equal(after[name], part), name


def test_a_cast_and_a_move_are_a_move() -> None:
    packed = layer(**LAYOUTS["trellis"])
    kinds = {name: part.dtype for name, part in packed.parts().items()}
    packed.to("meta", torch.bfloat16)
    assert all(part.is_meta for part in packed.parts().values())
    packed.half().to_empty(device="cpu")
    assert {name: part.dtype for name, part in packed.parts().items()} == kinds
    assert packed.codes.device.type == "cpu"


def test_a_layer_that_is_not_prepared_is_refused() -> None:
    with pytest.raises(GoodhartError, match="before prepare"):
        layer(group_size=32)(inputs())


def test_the_int4_kernel_takes_only_what_it_can() -> None:
    cpu = torch.device("cpu")
    assert int4.serves(32, 64, 4, 32, cpu)
    assert not int4.serves(32, 64, 3, 32, cpu)
    assert not int4.serves(32, 64, 4, 16, cpu)
    assert not int4.serves(32, 96, 4, 64, cpu)
    assert not int4.serves(24, 64, 4, 32, cpu)


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_the_triton_kernel_in_its_interpreter() -> None:
    """In a process of its own: Triton reads the switch when it is imported."""
    program = "from tests.unit.runtime.test_linear import check_triton; check_triton()"
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


@torch.inference_mode()
def check_triton() -> None:
    """Compare the kernel with the stored way: every width, few and many inputs, ragged edges."""
    from goodhart_gap.runtime import triton_kernel

    for name in ("four bits", "symmetric", "two bits", "three bits", "eight bits", "ragged groups"):
        packed = layer(rows=50, columns=120, **LAYOUTS[name])
        parts = {key: part for key, part in packed.parts().items() if "." not in key}
        assert triton_kernel.serves(packed.record)
        for count in (1, 3, 17):
            values = weight(count, 120, 7)
            found = triton_kernel.launch(values, parts, packed.record)
            assert difference(found, stored.product(values, parts, packed.record)) < 1e-5, name
