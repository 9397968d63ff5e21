"""The format a job computes in: what was asked for, or what the machine multiplies."""

from typing import Any

import pytest
import torch

from goodhart_gap.models.number_format import number_format


@pytest.fixture(params=[True, False], ids=["bf16 instructions", "none"])
def multiplies(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the CPU has instructions for half precision."""
    for name in ("_is_mkldnn_bf16_supported", "_is_mkldnn_fp16_supported"):
        monkeypatch.setattr(torch.ops.mkldnn, name, lambda: request.param)
    return bool(request.param)


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16])
def test_a_cpu_computes_in_what_it_multiplies(stored: torch.dtype, multiplies: bool) -> None:
    expected = stored if multiplies else torch.float32
    assert number_format("auto", stored, "cpu") == expected
    assert number_format("auto", stored, torch.device("cpu")) == expected
    assert number_format("auto", stored, {"model": "cpu", "lm_head": "disk"}) == expected
    assert number_format("auto", torch.float32, "cpu") == torch.float32


@pytest.mark.parametrize("device", ["auto", "cuda", torch.device("cuda", 1), {"a": 0, "b": "cpu"}])
def test_a_gpu_computes_in_the_stored_format(device: Any, multiplies: bool) -> None:
    assert number_format("auto", torch.bfloat16, device) == torch.bfloat16


def test_what_is_asked_for_is_taken(multiplies: bool) -> None:
    assert number_format("bfloat16", torch.float32, "cpu") == torch.bfloat16
    assert number_format("float32", torch.bfloat16, "cuda") == torch.float32


def test_a_build_without_onednn_has_no_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert number_format("auto", torch.bfloat16, "cpu") == torch.float32
