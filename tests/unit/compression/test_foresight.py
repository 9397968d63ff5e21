"""Errors are foreseen as they then come."""

from typing import Any

import pytest
import torch

from goodhart_gap.compression.fidelity import measure
from goodhart_gap.compression.foresight import (
    LARGEST_NOISE,
    exposure,
    foreseen_error,
    share_left,
)
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric
from goodhart_gap.errors import GoodhartError
from tests.unit.compression.cases import hessian, weight

ROWS, COLUMNS = 160, 192


def settings(**changed: Any) -> MatrixSettings:
    return MatrixSettings.model_validate({"hadamard": True, "rank": 0} | changed)


@pytest.mark.parametrize("codebook", ["scalar", "trellis", "e8"])
@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("rank", [0, 12])
def test_what_is_foreseen_comes(codebook: str, bits: int, rank: int) -> None:
    asked = settings(codebook=codebook, bits=bits, rank=rank, factor_bits=4)
    base, train = weight(ROWS, COLUMNS, 1), hessian(COLUMNS, 1)
    metric = Metric(train, 0.01)
    dense = compress_matrix(base, metric, asked, "m").dense()
    came = measure(base, dense, metric.matrix, metric.matrix).weighted_error
    assert foreseen_error(base, metric, asked) == pytest.approx(came, rel=0.2)


def test_without_factors_the_share_is_that_of_any_shape() -> None:
    asked = settings(codebook="trellis", bits=2)
    assert share_left(64, 512, asked) == pytest.approx(share_left(256, 128, asked), rel=0.1)
    # Shannon's bound, which no code of 2 bits gets below; and what a matrix has no outputs for.
    assert 2.0**-4 < share_left(256, 128, asked) < 0.1
    assert exposure(torch.zeros(4, 8), Metric(torch.eye(8), 0.01)) == 0


def test_large_shapes_shrink_with_their_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LARGEST_NOISE > 128
    monkeypatch.setattr("goodhart_gap.compression.foresight.LARGEST_NOISE", 128)
    asked = settings(bits=3, rank=32, factor_bits=4)
    small = settings(bits=3, rank=16, factor_bits=4)
    assert share_left(256, 512, asked) == share_left(128, 256, small)
    assert share_left(256, 512, asked) < share_left(128, 256, settings(bits=3))


@pytest.mark.parametrize("changed", [{"hadamard": False}, {"method": "rtn"}])
def test_what_cannot_be_foreseen_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(GoodhartError, match="hadamard: true and method caldera or gptq"):
        share_left(8, 8, settings(**changed))
