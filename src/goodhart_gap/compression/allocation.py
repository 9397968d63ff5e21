"""Which modules are compressed and how: allocation.json. Needs no torch.

allocation.json: {"model", "condition", "modules": {module: {"protected": bool, "settings":
MatrixSettings or null}}}, modules in the order of the checkpoint.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from goodhart_gap.compression.settings import ConditionSettings, MatrixSettings, Protection
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json
from goodhart_gap.models.fingerprints import linear_shapes
from goodhart_gap.models.shards import block_of

Shapes = Mapping[str, tuple[int, int]]


def module_shapes(records: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """{module: (outputs, inputs)} of a model's blocks, from its shards' fingerprint records."""
    shapes: dict[str, tuple[int, int]] = {}
    for record in records:
        shapes.update(linear_shapes(record))
    return dict(sorted(shapes.items(), key=lambda item: (_block(item[0]), item[0])))


def allocate(
    model: str, condition: str, settings: ConditionSettings, shapes: Shapes
) -> dict[str, Any]:
    """Return the content of allocation.json.

    Raises GoodhartError when the condition compresses nothing, or when a rule of `protect` names
    a block or module that the model does not have.
    """
    if settings.compress is None:
        raise GoodhartError(
            f"condition {condition}: has no `compress`, so there is nothing to allocate; use the "
            "base checkpoint."
        )
    protected = protected_modules(condition, settings.protect, shapes)
    compress = settings.compress.model_dump(mode="json")
    return {
        "model": model,
        "condition": condition,
        "modules": {
            module: {
                "protected": module in protected,
                "settings": None if module in protected else compress,
            }
            for module in shapes
        },
    }


def protected_modules(condition: str, protect: Protection, shapes: Shapes) -> set[str]:
    """Modules that `protect` leaves out. Raises GoodhartError for a rule that matches nothing."""
    blocks = sorted({_block(module) for module in shapes})
    for key in ("first", "last"):
        if getattr(protect, key) > len(blocks):
            raise GoodhartError(
                f"condition {condition}: protect.{key} is {getattr(protect, key)}, but the model "
                f"has {len(blocks)} blocks; lower it."
            )
    unknown = sorted(set(protect.blocks) - set(blocks))
    if unknown:
        raise GoodhartError(
            f"condition {condition}: protect.blocks names block {unknown[0]}, but the model's "
            f"blocks are {blocks[0]} to {blocks[-1]}."
        )
    chosen = {*blocks[: protect.first], *blocks[len(blocks) - protect.last :], *protect.blocks}
    protected = {module for module in shapes if _block(module) in chosen}
    for pattern in protect.patterns:
        matched = {module for module in shapes if fnmatchcase(module, pattern)}
        if not matched:
            raise GoodhartError(
                f"condition {condition}: protect.patterns: {pattern!r} matches no module; "
                f"a module is named like {next(iter(shapes))}."
            )
        protected |= matched
    return protected


def read_allocation(path: Path) -> dict[str, MatrixSettings | None]:
    """{module: its settings, None if protected} of an allocation.json."""
    content = read_json(path)
    try:
        return {
            module: None if entry["protected"] else MatrixSettings.model_validate(entry["settings"])
            for module, entry in content["modules"].items()
        }
    except (KeyError, TypeError, ValidationError) as error:
        raise GoodhartError(f"{path}: not an allocation; delete it and run again.") from error


def _block(module: str) -> int:
    block = block_of(module)
    if block is None:
        raise GoodhartError(f"{module}: not in a block of the model.")
    return block
