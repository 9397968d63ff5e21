"""The loop: every method, every ragged combination, every kind of bad input."""

from typing import Literal, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.compression.accounting import stored_bytes
from goodhart_gap.compression.format import stored_tensors
from goodhart_gap.compression.methods import METHODS, compress_matrix
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.errors import GoodhartError
from tests.unit.compression.cases import (
    bit_widths,
    few,
    group_sizes,
    hessian,
    lengths,
    ranks,
    seeds,
    weight,
)

methods = st.sampled_from([*METHODS])


def test_every_method_has_the_name_that_settings_know() -> None:
    named = get_args(MatrixSettings.model_fields["method"].annotation)
    assert set(METHODS) == set(named)


@few
@given(lengths, lengths, methods, bit_widths, group_sizes, st.booleans(), ranks, seeds)
def test_any_combination_works_and_its_bytes_are_as_counted(
    rows: int,
    columns: int,
    method: str,
    bits: int,
    group: int,
    symmetric: bool,
    rank: int,
    seed: int,
) -> None:
    settings = MatrixSettings.model_validate(
        {
            "method": method,
            "bits": bits,
            "group_size": group,
            "symmetric": symmetric,
            "rank": rank,
            "factor_bits": [2, 3, 4, 8, 16][seed % 5],
            "start": ["residual", "weight"][seed % 2],
        }
    )
    matrix, metric = weight(rows, columns, seed), Metric(hessian(columns, seed), damping=0.01)
    found = compress_matrix(matrix, metric, settings, "m")
    assert found.dense().shape == matrix.shape
    assert bool(torch.isfinite(found.dense()).all())
    size = sum(t.numel() * t.element_size() for t in stored_tensors(found).values())
    assert size == stored_bytes((rows, columns), settings)


@few
@given(
    lengths,
    lengths,
    st.sampled_from(["e8", "trellis"]),
    st.sampled_from(["caldera", "gptq"]),
    st.sampled_from([2, 3, 4]),
    ranks,
    seeds,
)
def test_any_combination_works_with_rotated_weights(
    rows: int, columns: int, codebook: str, method: str, bits: int, rank: int, seed: int
) -> None:
    settings = MatrixSettings.model_validate(
        {
            "method": method,
            "bits": bits,
            "codebook": codebook,
            "hadamard": True,
            "rank": rank,
            "group_size": 4096,
            "factor_bits": [2, 3, 4, 8, 16][seed % 5],
        }
    )
    matrix, metric = weight(rows, columns, seed), Metric(hessian(columns, seed), damping=0.01)
    found = compress_matrix(matrix, metric, settings, "m")
    error = metric.squared_norm(matrix - found.dense()) / metric.squared_norm(matrix)
    assert error < {2: 0.3, 3: 0.1, 4: 0.03}[bits]
    size = sum(t.numel() * t.element_size() for t in stored_tensors(found).values())
    assert size == stored_bytes((rows, columns), settings)


@few
@given(lengths, lengths, bit_widths, ranks, st.sampled_from(["residual", "weight"]), seeds)
def test_objective_never_rises(
    rows: int, columns: int, bits: int, rank: int, start: Literal["residual", "weight"], seed: int
) -> None:
    settings = MatrixSettings(bits=bits, rank=rank, group_size=16, iterations=4, start=start)
    matrix, metric = weight(rows, columns, seed), Metric(hessian(columns, seed), damping=0.01)
    found = compress_matrix(matrix, metric, settings, "m")
    assert found.objectives == sorted(found.objectives, reverse=True)
    error = metric.squared_norm(matrix - found.dense()) / metric.squared_norm(matrix)
    assert error == pytest.approx(found.objectives[-1], rel=1e-3, abs=1e-9)


def test_methods_come_in_the_expected_order() -> None:
    matrix, metric = weight(96, 128, 4), Metric(hessian(128, 4), damping=0.01)

    def error(method: str, **changes: int) -> float:
        settings = MatrixSettings.model_validate(
            {"method": method, "bits": 3, "group_size": 32, "rank": 8, **changes}
        )
        return metric.squared_norm(matrix - compress_matrix(matrix, metric, settings, "m").dense())

    assert error("gptq") < error("rtn")
    assert error("svd-residual") < error("rtn")
    assert error("caldera", rank=0) < error("gptq")
    assert error("caldera") < error("caldera", rank=0)
    assert error("caldera") < 0.8 * error("svd-residual")


def test_exactly_low_rank_weight_is_recovered() -> None:
    matrix = weight(40, 6, 0) @ weight(6, 48, 1)
    settings = MatrixSettings(bits=4, rank=6, factor_bits=16, start="weight")
    metric = Metric(hessian(48, 0), damping=0.01)
    found = compress_matrix(matrix, metric, settings, "m").dense()
    assert float((matrix - found).norm()) < 3e-3 * float(matrix.norm())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_named(bad: float) -> None:
    matrix = weight(4, 8, 0)
    matrix[1, 2] = bad
    with pytest.raises(GoodhartError, match=r"model\.layers\.0\.mlp\.up_proj: .*not finite"):
        compress_matrix(
            matrix, Metric(torch.eye(8), 0.01), MatrixSettings(), "model.layers.0.mlp.up_proj"
        )


def test_hessian_of_another_width_is_named() -> None:
    with pytest.raises(GoodhartError, match="has 8 inputs but its Hessian 9"):
        compress_matrix(weight(4, 8, 0), Metric(torch.eye(9), 0.01), MatrixSettings(), "m")


SETTINGS = {
    "caldera": {},
    "gptq": {"method": "gptq"},
    "rtn": {"method": "rtn"},
    "svd-residual": {"method": "svd-residual"},
    "e8": {"codebook": "e8", "hadamard": True},
    "trellis": {"codebook": "trellis", "hadamard": True},
}


@pytest.mark.parametrize("how", SETTINGS)
@pytest.mark.parametrize("tokens", [0, 1, 5])
def test_rank_deficient_hessian_and_zero_rows(how: str, tokens: int) -> None:
    matrix = weight(24, 32, 0)
    matrix[3] = 0
    matrix[:, 5] = 0
    deficient = hessian(32, 0, tokens) if tokens else torch.zeros(32, 32)
    settings = MatrixSettings.model_validate({"rank": 4, "group_size": 8, **SETTINGS[how]})
    found = compress_matrix(matrix, Metric(deficient, 0.01), settings, "m").dense()
    assert bool(torch.isfinite(found).all())
    assert float((found - matrix).norm()) < 0.25 * float(matrix.norm())
    # Rotated back, a row of zeros has its share of the error like any other.
    share = 0.2 if settings.hadamard else 0.1
    assert float(found[3].norm()) < share * float(matrix.norm(dim=1).mean())


@pytest.mark.parametrize("how", SETTINGS)
def test_all_zero_weight(how: str) -> None:
    settings = MatrixSettings.model_validate(SETTINGS[how])
    found = compress_matrix(torch.zeros(8, 12), Metric(hessian(12, 0), 0.01), settings, "m")
    assert float(found.dense().abs().max()) < 1e-20


def test_a_hessian_that_is_not_finite_is_an_error() -> None:
    bad = hessian(8, 0)
    bad[2, 3] = float("nan")
    with pytest.raises(GoodhartError, match="Hessian holds a number that is not finite"):
        Metric(bad, 0.01)
