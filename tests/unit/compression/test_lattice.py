"""The E8P codebook, against brute force."""

import pytest
import torch

from goodhart_gap.compression import lattice
from goodhart_gap.compression.ldlq import ldlq
from goodhart_gap.compression.metric import Metric
from tests.unit.compression.cases import hessian, weight


def test_codewords_are_distinct_points_of_the_shifted_lattice() -> None:
    words = lattice.decode(torch.arange(1 << 16))
    assert len(torch.unique(words, dim=0)) == 1 << 16
    # E8 is the integer vectors and the half-integer vectors with an even sum.
    shifted = words + 0.25
    doubled = 2 * shifted
    assert torch.equal(doubled, doubled.round())
    assert bool(((doubled % 2).sum(dim=1) % 8 == 0).all())
    assert torch.equal(shifted.sum(dim=1) % 2, torch.zeros(1 << 16))


def test_short_vectors_are_of_the_lattice() -> None:
    vectors = lattice.short_vectors()
    assert len(torch.unique(vectors, dim=0)) == 256
    assert torch.equal(vectors.sum(dim=1) % 2, torch.zeros(256))
    norms = vectors.square().sum(dim=1)
    assert [int((norms == norm).sum()) for norm in (0, 2, 4)] == [1, 240, 15]


def test_encoding_finds_the_nearest_codeword() -> None:
    words = lattice.decode(torch.arange(1 << 16))
    vectors = 1.3 * torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    nearest = torch.cdist(vectors, words).amin(dim=1)
    found = (vectors - lattice.decode(lattice.encode(vectors))).norm(dim=1)
    assert torch.allclose(found, nearest, atol=1e-4)
    assert torch.equal(lattice.encode(words[::37]).long(), torch.arange(1 << 16)[::37])


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 16), (37, 50)])
@pytest.mark.parametrize("bits", [2, 3, 4])
def test_decoding_gives_what_was_coded(rows: int, columns: int, bits: int) -> None:
    matrix, metric = weight(rows, columns, bits), Metric(hessian(columns, bits), 0.01)
    rounder = lattice.Rounder(rows, columns, lattice.fitting_scale(matrix, bits), bits)
    values = ldlq(matrix, metric.natural, rounder)
    coded = rounder.matrix()
    assert torch.allclose(coded.dense(), values, rtol=1e-5, atol=1e-6)
    again = lattice.LatticeMatrix.from_tensors(coded.tensors(), bits, columns)
    assert torch.equal(again.dense(), coded.dense())


@pytest.mark.parametrize(("bits", "loss"), [(2, 0.095), (3, 0.032), (4, 0.0095)])
def test_distortion_of_normal_noise(bits: int, loss: float) -> None:
    noise = torch.randn(64, 128, generator=torch.Generator().manual_seed(1))
    rounder = lattice.Rounder(64, 128, lattice.fitting_scale(noise, bits), bits)
    values = ldlq(noise, Metric(torch.eye(128), 0.01).natural, rounder)
    assert float((noise - values).square().mean() / noise.square().mean()) < loss
