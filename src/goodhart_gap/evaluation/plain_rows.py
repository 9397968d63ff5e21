"""Hidden states reach a model's output matrix as plain rows.

A slice such as the last position of a prompt, [1, 1, width], keeps the strides of what it was cut
from. torch (2.13, CPU) then does not fold it into one matrix product but copies the whole
transposed output matrix for a batched one: 270 ms instead of 15 for 49152 tokens of width 576. The
product is the same, bit for bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def plain_rows(model: Any) -> Iterator[None]:
    """Let every input of the output matrix of `model` be laid out anew, as long as this lasts."""
    hook = model.get_output_embeddings().register_forward_pre_hook(_laid_out)
    try:
        yield
    finally:
        hook.remove()


def _laid_out(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    hidden, *others = inputs
    rows = hidden.reshape(-1, hidden.shape[-1]).contiguous()
    return (rows.unflatten(0, hidden.shape[:-1]), *others)
