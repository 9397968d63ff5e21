"""The original's compression is rounding and an SVD, measured with its bits and its error."""

import json
from pathlib import Path

import pytest
import torch
from benchmarks import peer_compression
from safetensors.torch import save_file

from goodhart_gap.compression.accounting import stored_bytes
from goodhart_gap.compression.fidelity import measure
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric
from tests.unit.compression.cases import hessian, weight

MODULE = "model.layers.0.self_attn.q_proj"


def test_each_way_is_measured_for_what_it_is(tmp_path: Path) -> None:
    matrix, train, held_out = weight(48, 64, 0), hessian(64, 1), hessian(64, 2)
    save_file({f"{MODULE}.weight": matrix}, tmp_path / "blocks000-000.safetensors")
    tensors = {f"{MODULE}.train": train, f"{MODULE}.held_out": held_out}
    aliases = {"aliases": json.dumps({MODULE: MODULE})}
    save_file(tensors, tmp_path / "hessians.safetensors", aliases)
    ours = MatrixSettings(rank=4)
    allocation = {MODULE: ours, "model.layers.1.mlp.up_proj": None}
    threads = torch.get_num_threads()
    found = peer_compression.compare(tmp_path, tmp_path / "hessians.safetensors", allocation, 0, 1)
    torch.set_num_threads(threads)
    each = found.pop("48x64")
    assert not found
    assert each["module"] == MODULE
    original = MatrixSettings(
        method="svd-residual", group_size=128, symmetric=True, rank=64, factor_bits=4
    )
    for whose, settings in (("ours", ours), ("original", original)):
        dense = compress_matrix(matrix, Metric(train, 0.01), settings, "m").dense()
        error = measure(matrix, dense, train, held_out).held_out_error
        assert each[f"{whose}_error"] == pytest.approx(error)
        size_bytes = stored_bytes((48, 64), settings)
        assert each[f"{whose}_bits"] == pytest.approx(8 * size_bytes / matrix.numel())
    # Both kept Q in 4 bits; the paper's algorithm alternates 15 times.
    assert 0 < each["original_s"] < each["paper_s"]
    assert each["paper_bits"] > 4
