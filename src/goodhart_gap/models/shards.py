"""Names of shards, and which shard a tensor or a block belongs to. Imports nothing heavy.

A checkpoint is cut into one shard for what is not a block (embeddings, final norm, head) and
shards of consecutive blocks. The cut follows from two numbers, so the grid of files is known
before anything is downloaded:

    >>> shard_names(blocks=6, blocks_per_shard=4)
    ['embeddings', 'blocks000-003', 'blocks004-005']
    >>> shard_of("model.layers.5.mlp.up_proj.weight", blocks=6, blocks_per_shard=4)
    'blocks004-005'
"""

import re

EMBEDDINGS = "embeddings"
"""Name of the shard that holds everything outside the blocks."""

SHARD_PATTERN = r"embeddings|blocks\d{3}-\d{3}"
"""Regular expression of a shard's name, for wildcard constraints."""

BLOCK_SHARD_PATTERN = r"blocks\d{3}-\d{3}"
"""Regular expression of the name of a shard that holds blocks."""

_BLOCKS = re.compile(r"blocks(\d{3})-(\d{3})")
_BLOCK_OF_TENSOR = re.compile(r"(?:^|\.)(\d+)\.")


def block_shard_names(blocks: int, blocks_per_shard: int) -> list[str]:
    """Return the names of the shards that hold blocks, in order; the last may be shorter."""
    return [
        f"blocks{first:03d}-{min(first + blocks_per_shard, blocks) - 1:03d}"
        for first in range(0, blocks, blocks_per_shard)
    ]


def shard_names(blocks: int, blocks_per_shard: int) -> list[str]:
    """Return the names of all shards of a checkpoint, `embeddings` first."""
    return [EMBEDDINGS, *block_shard_names(blocks, blocks_per_shard)]


def block_range(shard: str) -> range:
    """Return the block indices that `shard` holds; empty for `embeddings`.

    Raises ValueError when `shard` is not the name of a shard.
    """
    if shard == EMBEDDINGS:
        return range(0)
    match = _BLOCKS.fullmatch(shard)
    if match is None:
        raise ValueError(f"{shard!r} is not the name of a shard")
    return range(int(match[1]), int(match[2]) + 1)


def block_of(tensor: str) -> int | None:
    """Return the block index in a tensor's (or module's) name, None outside the blocks.

    In a decoder the blocks are a list, so a block's tensors are the ones whose dotted name has a
    number in it, and the first number is the block.
    """
    match = _BLOCK_OF_TENSOR.search(tensor)
    return None if match is None else int(match[1])


def shard_of(tensor: str, blocks: int, blocks_per_shard: int) -> str:
    """Return the shard that holds `tensor`. Raises ValueError when its block is out of range."""
    block = block_of(tensor)
    if block is None:
        return EMBEDDINGS
    if block >= blocks:
        raise ValueError(f"{tensor} is in block {block}, but the model has {blocks} blocks")
    first = block - block % blocks_per_shard
    return f"blocks{first:03d}-{min(first + blocks_per_shard, blocks) - 1:03d}"


def preceding_shard(shard: str, blocks: int, blocks_per_shard: int) -> str:
    """Return the shard before `shard` in the order a forward pass goes through them."""
    names = shard_names(blocks, blocks_per_shard)
    return names[names.index(shard) - 1]
