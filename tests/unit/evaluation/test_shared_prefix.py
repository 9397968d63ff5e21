"""Attention in two parts equals attention in one, and a row does not depend on those beside it."""

import pytest
import torch
from torch import Tensor

from goodhart_gap.evaluation.shared_prefix import Part, SharedPrefixCache, attention, merge

HEADS, SHARED, WIDTH = 3, 3, 64


def made(rows: int, room: int, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(room)
    return torch.randn(rows, HEADS, room, WIDTH, generator=generator).to(dtype)


def test_two_parts_are_one_softmax() -> None:
    query = made(5, SHARED, torch.float64)
    key, value = made(5, 40, torch.float64), made(5, 41, torch.float64)[:, :, :40].contiguous()
    nothing = torch.zeros(1)
    parts = [
        attention(query, key[:, :, part].contiguous(), value[:, :, part].contiguous(), 0.1, nothing)
        for part in (slice(0, 30), slice(30, 40))
    ]
    expected = torch.softmax(query @ key.transpose(-1, -2) * 0.1, dim=-1) @ value
    torch.testing.assert_close(merge(*parts), expected.float(), rtol=1e-5, atol=1e-6)


def test_what_is_masked_out_changes_nothing() -> None:
    query, key = made(4, SHARED, torch.float32), made(4, 32, torch.float32)
    mask = torch.zeros(32)
    mask[20:] = float("-inf")
    other = key.clone()
    other[:, :, 20:] = 1e4
    for found, expected in zip(
        attention(query, other, other, 0.1, mask),
        attention(query, key, key, 0.1, mask),
        strict=True,
    ):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_row_is_the_same_beside_any_others(dtype: torch.dtype, threads: int) -> None:
    """Odd numbers of rows leave tensors whose last elements torch computes one by one."""
    query, key, prompt = (made(200, room, dtype) for room in (SHARED, 64, 96))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)

    def attended(rows: slice) -> Tensor:
        def part(keys: Tensor) -> Part:
            own = keys[rows].contiguous()
            return attention(query[rows], own, own, 0.2, torch.zeros(1))

        return merge(part(key), part(prompt))

    try:
        whole = attended(slice(0, 200))
        for first, last in ((0, 8), (0, 9), (3, 16), (7, 37), (100, 199)):
            assert torch.equal(attended(slice(first, last)), whole[first:last]), (first, last)
    finally:
        torch.set_num_threads(before)


def test_storage_grows_and_keeps_what_it_holds() -> None:
    torch.manual_seed(0)
    cache = SharedPrefixCache(1)
    cache.open_prompt()
    start = torch.randn(1, HEADS, 7, WIDTH)
    cache.update(start, start, 0)
    cache.start([0, 0, 0])
    given = []
    for _ in range(70):
        cache.advance()
        new = torch.randn(3, HEADS, 1, WIDTH)
        cache.update(new, new, 0)
        given.append(new)
        query = torch.randn(3, 2 * HEADS, 1, WIDTH)
        result = cache.attend(query, 0, 0.2)
    every = torch.cat([start.expand(3, -1, -1, -1), *given], dim=2).repeat_interleave(2, dim=1)
    expected = torch.softmax(query @ every.transpose(-1, -2) * 0.2, dim=-1) @ every
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
