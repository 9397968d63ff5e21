"""Allocation under a budget: what each block, or each matrix, becomes, and why. Needs no torch.

The predicted loss of a choice for a block is what `measure_sensitivity` measured with only that
block compressed; that of a choice for a matrix is the share of its output's energy that it is
foreseen to lose. Losses are taken to add up. The choice is the exact optimum of `budget.choose`.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goodhart_gap.compression.accounting import stored_bytes
from goodhart_gap.compression.budget import Option, choose, price_of_a_byte
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.overhead import (
    SHARD_BYTES,
    module_header_bytes,
    plain_bytes,
    tensor_bytes,
)
from goodhart_gap.compression.settings import FORESEEN, Budget
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.fingerprints import linear_shapes
from goodhart_gap.models.shards import block_of

BASE = "base"
"""The choice to leave a block or a matrix as it is."""

WHY_COLUMNS = (
    "choice",
    "bits_per_parameter",
    "predicted_loss",
    "bytes",
    "runner_up",
    "runner_up_loss",
    "runner_up_bytes",
    "total_loss_without",
)
"""After `block` or `module`, whichever it is chosen for."""

Candidates = Mapping[str, MatrixSettings]
"""{choice: settings of all matrices of a block}; `base` is none of them."""

Losses = Mapping[tuple[str, str], float]
"""{(block or module, choice): its loss}."""


@dataclass(frozen=True)
class Allocated:
    """An allocation, and the table of why."""

    content: dict[str, Any]
    """The content of allocation.json."""

    why: list[dict[str, Any]]
    """A row a block or matrix: the choice, and what the whole would lose without it."""


def read_losses(paths: Iterable[Path], loss: str) -> dict[tuple[str, str], float]:
    """Losses of a sensitivity.csv (its column `loss`), or of the foreseen errors of all shards."""
    losses = {}
    for path in paths:
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                if loss == FORESEEN:
                    # Energies add up, errors do not.
                    losses[row["module"], row["choice"]] = float(row["error"]) ** 2
                else:
                    losses[row["block"], row["condition"]] = float(row[loss])
    return losses


def allocate_budget(
    model: str,
    condition: str,
    budget: Budget,
    candidates: Candidates,
    losses: Losses,
    records: Sequence[Mapping[str, Any]],
) -> Allocated:
    """Choose for each block or matrix; `records` are the block shards' fingerprint records.

    Raises GoodhartError when the budget is too small for the smallest choices, or when a choice has
    no loss.
    """
    parameters = sum(_parameters(record, None) for record in records)
    limit = int(budget.bits_per_parameter * parameters / 8) - SHARD_BYTES * len(records)
    units = sorted(
        (unit for record in records for unit in _units(record, budget)), key=lambda u: u.order
    )
    # What stays as it is whatever is chosen.
    fixed = sum(
        block_bytes(record, block, None) for record in records for block in _blocks(record)
    ) - sum(unit.size(None) for unit in units)
    options = {unit.name: _options(condition, unit, budget, candidates, losses) for unit in units}
    try:
        chosen = choose(options, limit - fixed)
    except GoodhartError as error:
        raise GoodhartError(
            f"condition {condition}: budget.bits_per_parameter = "
            f"{budget.bits_per_parameter:g}: {error}"
        ) from error
    modules = {
        module: {
            "protected": chosen[unit.name] == BASE,
            "settings": None
            if chosen[unit.name] == BASE
            else candidates[chosen[unit.name]].model_dump(mode="json"),
        }
        for unit in units
        for module in unit.modules
    }
    headers = SHARD_BYTES * len(records) + fixed
    content = {
        "model": model,
        "condition": condition,
        "budget_bytes": limit + SHARD_BYTES * len(records),
        "predicted_bytes": headers + sum(_taken(options, chosen, u.name).size_bytes for u in units),
        "modules": modules,
    }
    return Allocated(content, _why(units, options, chosen, limit - fixed))


def write_why(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the table of why."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def block_bytes(record: Mapping[str, Any], block: int, settings: MatrixSettings | None) -> int:
    """Bytes on disk of a block under `settings` (None: as it is), its part of the header included.

    `record` is the fingerprint record of its shard.
    """
    return sum(
        _tensor_bytes(record, name, settings)
        for name in record["tensors"]
        if block_of(name) == block
    )


def _tensor_bytes(record: Mapping[str, Any], name: str, settings: MatrixSettings | None) -> int:
    """Bytes on disk of a tensor of the base, compressed by `settings` if it is a matrix."""
    shapes, module = linear_shapes(record), name.removesuffix(".weight")
    if settings is None or module == name or module not in shapes:
        return plain_bytes(name, record["tensors"][name])
    packed = stored_bytes(shapes[module], settings)
    return packed + module_header_bytes(module, shapes[module], settings)


@dataclass(frozen=True)
class _Unit:
    """What is chosen for as one: a block with all its tensors, or a matrix."""

    kind: str
    name: str
    block: int
    modules: tuple[str, ...]
    record: Mapping[str, Any]

    @property
    def order(self) -> tuple[int, str]:
        return self.block, self.name

    @property
    def parameters(self) -> int:
        if self.kind == "block":
            return _parameters(self.record, self.block)
        rows, columns = linear_shapes(self.record)[self.name]
        return rows * columns

    def size(self, settings: MatrixSettings | None) -> int:
        """Bytes on disk under `settings`, its part of the header included."""
        if self.kind == "block":
            return block_bytes(self.record, self.block, settings)
        return _tensor_bytes(self.record, f"{self.name}.weight", settings)


def _units(record: Mapping[str, Any], budget: Budget) -> Iterator[_Unit]:
    by_block: dict[int, list[str]] = {block: [] for block in _blocks(record)}
    for module in sorted(linear_shapes(record)):
        block = block_of(module)
        assert block is not None
        by_block[block].append(module)
    for block, modules in by_block.items():
        if budget.loss == FORESEEN:
            for module in modules:
                yield _Unit("module", module, block, (module,), record)
        else:
            yield _Unit("block", str(block), block, tuple(modules), record)


def _options(
    condition: str, unit: _Unit, budget: Budget, candidates: Candidates, losses: Losses
) -> list[Option]:
    options = []
    for choice in budget.choices:
        if choice != BASE and (unit.name, choice) not in losses:
            where = f"block {unit.name}" if unit.kind == "block" else unit.name
            raise GoodhartError(
                f"condition {condition}: choice {choice} has not been measured in {where}; measure "
                "the sensitivity of the model again."
            )
        settings = None if choice == BASE else candidates[choice]
        # A measured divergence may come out a hair under zero; nothing is gained by it.
        loss = 0.0 if choice == BASE else max(losses[unit.name, choice], 0.0)
        options.append(Option(choice, unit.size(settings), loss))
    return options


def _taken(options: Mapping[str, Sequence[Option]], chosen: Mapping[str, str], name: str) -> Option:
    return next(option for option in options[name] if option.name == chosen[name])


def _why(
    units: Sequence[_Unit],
    options: Mapping[str, list[Option]],
    chosen: Mapping[str, str],
    limit: int,
) -> list[dict[str, Any]]:
    """A row a unit. The runner-up is the choice that would take this one's place.

    Of a block it is what the block gets in the optimum without the choice made, and
    `total_loss_without` how much more the whole model loses there. Matrices are too many to solve
    that again for each: theirs is the next best at the price of a byte, at which the bytes that it
    saves or takes are traded with all others. Without a runner-up there was no alternative.
    """
    price = price_of_a_byte(options, limit)
    rows = []
    for unit in units:
        option = _taken(options, chosen, unit.name)
        row = {
            unit.kind: unit.name,
            "choice": option.name,
            "bits_per_parameter": round(8 * option.size_bytes / unit.parameters, 4),
            "predicted_loss": f"{option.loss:.6g}",
            "bytes": option.size_bytes,
        }
        others = [other for other in options[unit.name] if other.name != option.name]
        if unit.kind == "block":
            found = _without(units, options, chosen, limit, unit.name, others)
        else:
            found = _at_price(option, others, price)
        if found is not None:
            runner_up, lost = found
            row |= {
                "runner_up": runner_up.name,
                "runner_up_loss": f"{runner_up.loss:.6g}",
                "runner_up_bytes": runner_up.size_bytes,
                "total_loss_without": f"{lost:.6g}",
            }
        rows.append({column: row.get(column) for column in (unit.kind, *WHY_COLUMNS)})
    return rows


def _without(
    units: Sequence[_Unit],
    options: Mapping[str, list[Option]],
    chosen: Mapping[str, str],
    limit: int,
    name: str,
    others: list[Option],
) -> tuple[Option, float] | None:
    """What a unit becomes in the optimum with `others` alone, and what that loses in all."""
    try:
        second = choose({**options, name: others}, limit) if others else None
    except GoodhartError:
        return None  # nothing else fits
    if second is None:
        return None
    best, total = (
        sum(_taken(options, each, unit.name).loss for unit in units) for each in (chosen, second)
    )
    return _taken(options, second, name), total - best


def _at_price(option: Option, others: list[Option], price: float) -> tuple[Option, float] | None:
    """The next best of `others` at a price of a byte, and what it loses more at that price."""

    def dear(each: Option) -> float:
        return each.loss + price * each.size_bytes

    second = min(others, key=dear, default=None)
    return None if second is None else (second, dear(second) - dear(option))


def _blocks(record: Mapping[str, Any]) -> list[int]:
    """The blocks of a shard."""
    found = {block_of(name) for name in record["tensors"]}
    return sorted(block for block in found if block is not None)


def _parameters(record: Mapping[str, Any], block: int | None) -> int:
    """Parameters of a shard, or of one of its blocks."""
    return sum(
        tensor_bytes({**entry, "dtype": "BF16"}) // 2
        for name, entry in record["tensors"].items()
        if block is None or block_of(name) == block
    )
