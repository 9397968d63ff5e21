"""Random matrices and Hessians of any shape, the same for the same seed."""

import torch
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

torch.set_num_threads(1)

few = hypothesis_settings(max_examples=20)
"""Enough examples to meet the ragged corners, few enough to stay quick."""

seeds = st.integers(0, 2**31 - 1)
lengths = st.integers(1, 40)
bit_widths = st.sampled_from([2, 3, 4, 8])
group_sizes = st.integers(1, 48)
ranks = st.integers(0, 50)


def weight(rows: int, columns: int, seed: int) -> torch.Tensor:
    """Gaussian [rows, columns] with a few outliers."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, columns, generator=generator)
    return values + 4 * values * (torch.rand(rows, columns, generator=generator) < 0.02)


def hessian(columns: int, seed: int, tokens: int | None = None) -> torch.Tensor:
    """X^T X / n of correlated inputs of unequal strength; fewer tokens than columns: deficient."""
    generator = torch.Generator().manual_seed(seed + 1)
    tokens = 4 * columns if tokens is None else tokens
    mixing = torch.eye(columns) + 0.4 * torch.randn(columns, columns, generator=generator)
    strength = torch.randn(columns, generator=generator).exp()
    inputs = torch.randn(tokens, columns, generator=generator) @ mixing * strength
    return inputs.T @ inputs / tokens
