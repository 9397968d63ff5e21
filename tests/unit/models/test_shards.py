"""The cut into shards: every tensor has one place, known without reading anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.models.shards import (
    EMBEDDINGS,
    block_of,
    block_range,
    block_shard_names,
    preceding_shard,
    shard_names,
    shard_of,
)

cuts = st.tuples(st.integers(1, 120), st.integers(1, 40))


@given(cuts)
def test_every_block_is_in_exactly_one_shard(cut: tuple[int, int]) -> None:
    blocks, blocks_per_shard = cut
    shards = block_shard_names(blocks, blocks_per_shard)
    assert [i for shard in shards for i in block_range(shard)] == list(range(blocks))
    assert all(len(block_range(shard)) <= blocks_per_shard for shard in shards)


@given(cuts, st.data())
def test_a_tensor_is_in_the_shard_that_holds_its_block(
    cut: tuple[int, int], data: st.DataObject
) -> None:
    blocks, blocks_per_shard = cut
    block = data.draw(st.integers(0, blocks - 1))
    shard = shard_of(f"model.layers.{block}.mlp.up_proj.weight", blocks, blocks_per_shard)
    assert shard in block_shard_names(blocks, blocks_per_shard)
    assert block in block_range(shard)


def test_what_is_outside_the_blocks_is_in_embeddings() -> None:
    for name in ("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"):
        assert block_of(name) is None
        assert shard_of(name, 30, 4) == EMBEDDINGS
    assert list(block_range(EMBEDDINGS)) == []


def test_a_block_beyond_the_model_is_refused() -> None:
    with pytest.raises(ValueError, match="block 30, but the model has 30"):
        shard_of("model.layers.30.mlp.up_proj.weight", 30, 4)


def test_names_sort_in_the_order_of_blocks() -> None:
    names = block_shard_names(100, 1)
    assert names == sorted(names)


def test_shards_form_a_chain_that_starts_at_the_embeddings() -> None:
    names = shard_names(10, 4)
    assert names[0] == EMBEDDINGS
    assert [preceding_shard(name, 10, 4) for name in names[1:]] == names[:-1]


@pytest.mark.parametrize("name", ["blocks0-3", "blocks000-003.safetensors", "head", ""])
def test_other_names_are_not_shards(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a shard"):
        block_range(name)
