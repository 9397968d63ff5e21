"""Conditions that take their modules from the compressed shards of others. Needs no torch.

Nothing is compressed again or copied. allocation.json says of each module where it comes from
(`origin`: a condition's name, or `base`); the index points into those shards, and fidelity.csv is
read from their headers under the same checks as a compressed condition's.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from goodhart_gap.compression.allocation import Shapes, protected_modules
from goodhart_gap.compression.settings import ConditionSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.shards import block_of, block_range, block_shard_names

BASE = "base"
"""Origin of what stays as it is."""


def shards_of_origins(
    settings: ConditionSettings, blocks: int, blocks_per_shard: int
) -> list[tuple[str, str]]:
    """Return (origin, shard) of every file that holds a module of the condition.

    What follows from the numbers of blocks alone, for the grid of files; that the blocks exist is
    checked when the condition is allocated.
    """
    found = []
    protect = settings.protect
    whole = {*range(protect.first), *range(blocks - protect.last, blocks), *protect.blocks}
    for shard in block_shard_names(blocks, blocks_per_shard):
        inside = block_range(shard)
        open_blocks = [block for block in inside if block not in whole]
        origins = {origin_of_block(settings, block) for block in open_blocks} - {None}
        # A pattern may name a module of any block.
        if len(open_blocks) < len(inside) or (open_blocks and protect.patterns):
            origins.add(BASE)
        found += [(origin, shard) for origin in sorted(map(str, origins))]
    return found


def origin_of_block(settings: ConditionSettings, block: int) -> str | None:
    """Return the condition that an unprotected block comes from, None for none."""
    rest = None
    for condition, blocks in settings.reused.items():
        if blocks is None:
            rest = condition
        elif block in blocks:
            return condition
    return rest


def allocate_reuse(
    model: str,
    condition: str,
    settings: ConditionSettings,
    shapes: Shapes,
    allocations: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the content of allocation.json; `allocations` are those of the reused conditions.

    Raises GoodhartError when `reuse` or `protect` names a block that the model does not have, or
    when a block comes from no condition.
    """
    protected = protected_modules(condition, settings.protect, shapes)
    known = {_block(module) for module in shapes}
    named = {block for blocks in settings.reused.values() for block in blocks or ()}
    if named - known:
        raise GoodhartError(
            f"condition {condition}: reuse names block {min(named - known)}, but the model's "
            f"blocks are {min(known)} to {max(known)}."
        )
    modules: dict[str, dict[str, Any]] = {}
    for module in shapes:
        origin = origin_of_block(settings, _block(module))
        if module in protected or origin == BASE:
            modules[module] = {"protected": True, "settings": None, "origin": BASE}
        elif origin is None:
            raise GoodhartError(
                f"condition {condition}: block {_block(module)} comes from no condition; let one "
                "of `reuse` have the `rest`, or protect the block."
            )
        else:
            entry = allocations[origin]["modules"][module]
            modules[module] = {
                "protected": entry["protected"],
                "settings": entry["settings"],
                "origin": origin,
            }
    return {"model": model, "condition": condition, "modules": modules}


def by_origin(paths: Iterable[Path]) -> dict[tuple[str, str], Path]:
    """Return {(origin, shard): file} of files that lie in the folders of their conditions."""
    return {(path.parent.name, path.stem): path for path in paths}


def origin_of_tensor(name: str, origins: Mapping[str, str]) -> str:
    """Return where a tensor of a block comes from; `origins` is {module: origin}.

    What belongs to no compressed module (norms) comes from where the rest of its block does: any
    shard of the block has it.
    """
    module = name.rpartition(".")[0]
    if module in origins:
        return origins[module]
    block = block_of(name)
    beside = {origin for other, origin in origins.items() if block_of(other) == block}
    return min(beside - {BASE}, default=BASE)


def needed(
    names: Sequence[str], origins: Mapping[str, str], shard: str, files: Mapping[Any, Path]
) -> dict[str, Path]:
    """Return {tensor: file} of a base shard's tensors. Raises GoodhartError for a missing file."""
    found = {}
    for name in names:
        origin = origin_of_tensor(name, origins)
        if (origin, shard) not in files:
            raise GoodhartError(
                f"{name}: comes from {origin}, but its shard {shard} was not given; run again."
            )
        found[name] = files[origin, shard]
    return found


def _block(module: str) -> int:
    block = block_of(module)
    assert block is not None
    return block
