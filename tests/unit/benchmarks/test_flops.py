"""Operations of a decoder: against torch's own count, and against sums done the long way."""

import json
from pathlib import Path

import pytest
import torch
from benchmarks import flops
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM

from tests.unit.conftest import Folders


@pytest.fixture(scope="module")
def base(bases: Folders) -> Path:
    return bases("llama")


@pytest.fixture(scope="module")
def sizes(base: Path) -> flops.Sizes:
    return flops.Sizes.of(json.loads((base / "config.json").read_text()))


def test_products_of_a_forward_pass_are_what_torch_counts(base: Path, sizes: flops.Sizes) -> None:
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base))
    model.set_attn_implementation("eager")
    length = 12
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(input_ids=torch.ones(1, length, dtype=torch.long), logits_to_keep=1)
    # torch counts attention over all positions, masked or not, and the rotary embedding.
    attention = flops.attention(sizes, length**2)
    expected = length * flops.block_products(sizes) + attention + flops.output(sizes)
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.01)


def test_a_response_costs_a_step_for_each_token_but_the_first(sizes: flops.Sizes) -> None:
    step = flops.block_products(sizes) + flops.output(sizes)
    by_hand = sum(step + flops.attention(sizes, 7 + i) for i in range(1, 5))
    assert flops.response(sizes, 7, 5) == by_hand
    assert flops.response(sizes, 7, 1) == flops.response(sizes, 7, 0) == 0


def test_a_prompt_is_counted_once_for_all_of_its_responses(sizes: flops.Sizes) -> None:
    one = flops.sampling(sizes, [9], [(9, 4)])
    both = flops.sampling(sizes, [9], [(9, 4), (9, 4)])
    assert both - one == flops.response(sizes, 9, 4)
    assert one - flops.response(sizes, 9, 4) == flops.prompt_pass(sizes, 9)


def test_hessians_are_half_a_square_product(sizes: flops.Sizes) -> None:
    full = 2 * 10 * sizes.blocks * sum(width**2 for width in sizes.inputs())
    assert flops.hessian_products(sizes, 10) == pytest.approx(full / 2, rel=0.05)


def test_compression_counts_each_matrix_and_iteration() -> None:
    assert flops.compression([(4, 3), (2, 3)], 2) == 3 * (4 + 2) * 9 * 2
