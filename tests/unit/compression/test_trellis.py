"""Rotations and trellis codes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.compression.ldlq import ldlq
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.rotation import Rotation, restore_weight, rotate_weight
from goodhart_gap.compression.trellis import (
    STATE_BITS,
    Rounder,
    TrellisMatrix,
    encode_streams,
    fitting_scale,
    table,
)
from tests.unit.compression.cases import few, hessian, seeds, weight


@few
@given(st.integers(1, 300), seeds)
def test_rotation_is_orthogonal_and_undone(size: int, seed: int) -> None:
    rotation = Rotation(size, "in")
    values = weight(3, size, seed)
    turned = rotation.apply(values)
    scale = float(values.norm())
    assert float(turned.norm()) == pytest.approx(scale, rel=1e-4)
    assert float((rotation.invert(turned) - values).norm()) <= 1e-5 * scale


def test_rotation_spreads_an_outlier() -> None:
    for size in (64, 576, 1536):
        one = torch.zeros(1, size)
        one[0, size // 3] = 1
        assert float(Rotation(size, "in").apply(one).abs().max()) < 1.5 / size**0.5


@few
@given(st.integers(1, 40), st.integers(1, 40), seeds)
def test_rotated_norm_is_the_norm(rows: int, columns: int, seed: int) -> None:
    matrix, metric = weight(rows, columns, seed), Metric(hessian(columns, seed), 0.01)
    turned = rotate_weight(matrix)
    assert metric.rotated.squared_norm(turned) == pytest.approx(
        metric.squared_norm(matrix), rel=1e-3
    )
    assert torch.allclose(restore_weight(turned), matrix, atol=1e-4 * float(matrix.abs().max()))


def test_table_is_standard_normal() -> None:
    values = table()
    assert values.shape == (1 << STATE_BITS,)
    assert float(values.mean()) == pytest.approx(0, abs=1e-6)
    assert float(values.std()) == pytest.approx(1, abs=0.01)
    assert float((values[:-1] * values[1:]).mean()) == pytest.approx(0, abs=0.05)


def test_search_finds_the_best_path() -> None:
    """All 4^5 code streams of five positions, tried one by one."""
    streams = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    starts = [0, 5, 4000]
    codes, values, ends = encode_streams(streams, starts, bits=2)
    for row, start in enumerate(starts):
        best = float("inf")
        for number in range(4**5):
            state, error = start, 0.0
            for position in range(5):
                state = (state << 2 | (number >> 2 * position) & 3) & ((1 << STATE_BITS) - 1)
                error += (float(streams[row, position]) - float(table()[state])) ** 2
            best = min(best, error)
        found = float((streams[row] - values[row]).square().sum())
        assert found == pytest.approx(best, rel=1e-3, abs=1e-4)
        state = start
        for code in codes[row].tolist():
            state = (state << 2 | code) & ((1 << STATE_BITS) - 1)
        assert state == ends[row]


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 16), (37, 50), (8, 33), (100, 20)])
@pytest.mark.parametrize("bits", [2, 3, 4])
def test_decoding_gives_what_was_coded(rows: int, columns: int, bits: int) -> None:
    matrix, metric = weight(rows, columns, bits), Metric(hessian(columns, bits), 0.01)
    rounder = Rounder(rows, columns, fitting_scale(matrix, bits), bits)
    values = ldlq(matrix, metric.natural, rounder)
    coded = TrellisMatrix(rounder.codes, rounder.scale, bits)
    assert torch.allclose(coded.dense(), values, rtol=1e-5, atol=1e-6)
    again = TrellisMatrix.from_tensors(coded.tensors(), bits, columns)
    assert torch.equal(again.dense(), coded.dense())


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_coding_what_was_decoded_changes_nothing(bits: int) -> None:
    matrix, metric = weight(40, 24, bits), Metric(torch.eye(24), 0.01)
    rounder = Rounder(40, 24, fitting_scale(matrix, bits), bits)
    values = ldlq(matrix, metric.natural, rounder)
    again = Rounder(40, 24, rounder.scale, bits)
    assert torch.allclose(ldlq(values, metric.natural, again), values, atol=1e-5)
    assert torch.equal(again.codes, rounder.codes)


def test_looking_ahead_pays() -> None:
    """What follows has a say in the last state, and gains more than the rest loses."""
    noise = torch.randn(64, 96, generator=torch.Generator().manual_seed(2))
    losses = {}
    for ahead in (0, 8):
        states, losses[ahead] = [0] * 64, 0.0
        for start in range(0, 96 - 24, 24):
            part = noise[:, start : start + 24 + ahead]
            _, values, states = encode_streams(part, states, 2, ahead)
            losses[ahead] += float((values - noise[:, start : start + 24]).square().sum())
    assert losses[8] < 0.85 * losses[0]


@pytest.mark.parametrize(("bits", "scalar_loss"), [(2, 0.1175), (3, 0.03454), (4, 0.009497)])
def test_beats_the_best_scalar_codebook_on_normal_noise(bits: int, scalar_loss: float) -> None:
    """`scalar_loss` is the distortion of the Lloyd-Max quantizer of the normal distribution."""
    noise = torch.randn(96, 64, generator=torch.Generator().manual_seed(1))
    rounder = Rounder(96, 64, fitting_scale(noise, bits), bits)
    values = ldlq(noise, Metric(torch.eye(64), 0.01).natural, rounder)
    loss = float((noise - values).square().mean() / noise.square().mean())
    assert loss < 0.8 * scalar_loss
