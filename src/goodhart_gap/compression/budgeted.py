"""Allocation under a budget: what each block becomes, and why. Needs no torch.

The predicted loss of a choice for a block is what `measure_sensitivity` measured with only that
block compressed; losses are taken to add up. The choice is the exact optimum of `budget.choose`.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goodhart_gap.compression.accounting import stored_bytes
from goodhart_gap.compression.budget import Option, choose
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.overhead import (
    SHARD_BYTES,
    module_header_bytes,
    plain_bytes,
    tensor_bytes,
)
from goodhart_gap.compression.settings import Budget
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.fingerprints import linear_shapes
from goodhart_gap.models.shards import block_of

BASE = "base"
"""The choice to leave a block as it is."""

WHY_COLUMNS = (
    "block",
    "choice",
    "bits_per_parameter",
    "predicted_loss",
    "bytes",
    "runner_up",
    "runner_up_loss",
    "runner_up_bytes",
    "total_loss_without",
)

Candidates = Mapping[str, MatrixSettings]
"""{choice: settings of all matrices of a block}; `base` is none of them."""


@dataclass(frozen=True)
class Allocated:
    """An allocation, and the table of why."""

    content: dict[str, Any]
    """The content of allocation.json."""

    why: list[dict[str, Any]]
    """A row a block: the choice, and what the whole would lose without it."""


def read_sensitivity(path: Path, loss: str) -> dict[tuple[int, str], float]:
    """{(block, condition): `loss`} of a sensitivity.csv."""
    with path.open(encoding="utf-8", newline="") as handle:
        return {(int(r["block"]), r["condition"]): float(r[loss]) for r in csv.DictReader(handle)}


def allocate_budget(
    model: str,
    condition: str,
    budget: Budget,
    candidates: Candidates,
    losses: Mapping[tuple[int, str], float],
    records: Sequence[Mapping[str, Any]],
) -> Allocated:
    """Choose for each block under `budget`; `records` are the block shards' fingerprint records.

    Raises GoodhartError when the budget is too small for the smallest choices, or when a choice has
    not been measured.
    """
    limit = int(budget.bits_per_parameter * _parameters(records) / 8)
    limit -= SHARD_BYTES * len(records)
    options = _options(condition, budget, candidates, losses, records)
    try:
        chosen = choose(options, limit)
    except GoodhartError as error:
        raise GoodhartError(
            f"condition {condition}: budget.bits_per_parameter = "
            f"{budget.bits_per_parameter:g}: {error}"
        ) from error
    modules = {
        module: {
            "protected": chosen[str(block)] == BASE,
            "settings": None
            if chosen[str(block)] == BASE
            else candidates[chosen[str(block)]].model_dump(mode="json"),
        }
        for block, module in _modules(records)
    }
    predicted = SHARD_BYTES * len(records) + sum(
        option.size_bytes
        for block, each in options.items()
        for option in each
        if option.name == chosen[block]
    )
    content = {
        "model": model,
        "condition": condition,
        "budget_bytes": limit + SHARD_BYTES * len(records),
        "predicted_bytes": predicted,
        "modules": modules,
    }
    return Allocated(content, _why(options, chosen, limit, records))


def write_why(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the table of why."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, WHY_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def block_bytes(record: Mapping[str, Any], block: int, settings: MatrixSettings | None) -> int:
    """Bytes on disk of a block under `settings` (None: as it is), its part of the header included.

    `record` is the fingerprint record of its shard.
    """
    shapes = linear_shapes(record)
    total = 0
    for name, entry in record["tensors"].items():
        if block_of(name) != block:
            continue
        module = name.removesuffix(".weight")
        if settings is None or module == name or module not in shapes:
            total += plain_bytes(name, entry)
        else:
            total += stored_bytes(shapes[module], settings)
            total += module_header_bytes(module, shapes[module], settings)
    return total


def _options(
    condition: str,
    budget: Budget,
    candidates: Candidates,
    losses: Mapping[tuple[int, str], float],
    records: Sequence[Mapping[str, Any]],
) -> dict[str, list[Option]]:
    options: dict[str, list[Option]] = {}
    for record in records:
        found = {block_of(name) for name in record["tensors"]}
        for block in sorted(block for block in found if block is not None):
            for choice in budget.choices:
                if choice != BASE and (block, choice) not in losses:
                    raise GoodhartError(
                        f"condition {condition}: choice {choice} has not been measured in block "
                        f"{block}; measure the sensitivity of the model again."
                    )
                settings = None if choice == BASE else candidates[choice]
                # A measured divergence may come out a hair under zero; nothing is gained by it.
                loss = 0.0 if choice == BASE else max(losses[block, choice], 0.0)
                size = block_bytes(record, block, settings)
                options.setdefault(str(block), []).append(Option(choice, size, loss))
    return dict(sorted(options.items(), key=lambda item: int(item[0])))


def _why(
    options: Mapping[str, list[Option]],
    chosen: Mapping[str, str],
    limit: int,
    records: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """A row a block. The runner-up is the choice that would take this one's place.

    It is what the block gets in the optimum without the choice made; `total_loss_without` is how
    much more the whole model loses there. Without a runner-up the block had no alternative.
    """
    by_name = {block: {option.name: option for option in each} for block, each in options.items()}
    best = sum(by_name[block][name].loss for block, name in chosen.items())
    rows = []
    for block, each in options.items():
        option = by_name[block][chosen[block]]
        row = {
            "block": int(block),
            "choice": option.name,
            "bits_per_parameter": round(8 * option.size_bytes / _parameters(records, block), 4),
            "predicted_loss": f"{option.loss:.6g}",
            "bytes": option.size_bytes,
        }
        others = [other for other in each if other.name != option.name]
        if others:
            try:
                second = choose({**options, block: others}, limit)
            except GoodhartError:
                second = {}  # nothing else fits
            if second:
                runner_up = by_name[block][second[block]]
                total = sum(by_name[name][choice].loss for name, choice in second.items())
                row |= {
                    "runner_up": runner_up.name,
                    "runner_up_loss": f"{runner_up.loss:.6g}",
                    "runner_up_bytes": runner_up.size_bytes,
                    "total_loss_without": f"{total - best:.6g}",
                }
        rows.append({column: row.get(column) for column in WHY_COLUMNS})
    return rows


def _modules(records: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
    found = []
    for record in records:
        for module in linear_shapes(record):
            block = block_of(module)
            assert block is not None
            found.append((block, module))
    return sorted(found)


def _parameters(records: Sequence[Mapping[str, Any]], block: str | None = None) -> int:
    """Parameters of the blocks, or of one."""
    return sum(
        tensor_bytes({**entry, "dtype": "BF16"}) // 2
        for record in records
        for name, entry in record["tensors"].items()
        if block is None or str(block_of(name)) == block
    )
