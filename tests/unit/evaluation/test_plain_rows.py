"""The output matrix gets rows, and gives what it gave."""

from typing import Any

import pytest
import torch

from goodhart_gap.evaluation.plain_rows import plain_rows


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(32, 300, bias=False, dtype=torch.bfloat16)

    def get_output_embeddings(self) -> torch.nn.Linear:
        return self.head

    def forward(self, hidden: torch.Tensor) -> Any:
        return self.head(hidden[:, -1:, :])


@pytest.mark.parametrize("rows", [1, 3])
def test_a_slice_becomes_rows_and_the_product_stays(rows: int) -> None:
    torch.manual_seed(0)
    model = Model()
    hidden = torch.randn(rows, 7, 32).bfloat16()
    strides = []
    model.head.register_forward_hook(lambda _, inputs, __: strides.append(inputs[0].stride()))
    before = model(hidden)
    with plain_rows(model):
        within = model(hidden)
    after = model(hidden)
    assert strides == [(7 * 32, 32, 1), (32, 32, 1), (7 * 32, 32, 1)]
    assert torch.equal(before, within)
    assert torch.equal(before, after)
