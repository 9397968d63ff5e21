"""The numbers a document prints, and the table cells they come from.

A number matches a cell when the cell's value, in the unit and with the digits shown, rounds to it:
`35.8 %` matches 0.358209, `-0.5` (points) matches -0.00533. Where several cells match, the one
whose row and column share most words with the number's line, table header and heading comes first.
"""

import bisect
import csv
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_NUMBER = re.compile(
    r"(?<![\w.,/`-])(?P<sign>[+\-−]?)(?P<digits>\d[\d,]*(?:\.\d+)?)"
    r"(?P<unit>\s?%| (?:thousand|million|billion)\b)?(?![\w/`]|[.,]\d|-\w)"
)
_UNITS = {" thousand": 1e3, " million": 1e6, " billion": 1e9}
_NOT_PRINTED = re.compile(r"`[^`]*`|\]\([^)]*\)|(?<=\d)/(?=\d)")
"""Code, link targets, and the stroke of a fraction, whose two numbers count one by one."""

_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Printed:
    """A number as a document prints it."""

    line: int
    """Line in the document, from 1."""

    text: str
    """What is printed, unit included."""

    value: float
    half: float
    """Half a unit of the last digit printed."""

    percent: bool
    context: frozenset[str]
    """Words around it: its line, its table's header, its heading."""

    column: str
    """Header of its column, where it stands in a table."""


@dataclass(frozen=True)
class Cell:
    """A number in a table, or among the arguments of a document's job."""

    table: str
    row: int
    """Row, counted from 1 without the header; 0 for an argument."""

    column: str
    value: float
    words: frozenset[str]
    """Words of the row's other cells and of the column's name."""

    label: str
    """The row's text cells, for people."""

    def __str__(self) -> str:
        place = f"row {self.row} ({self.label}), " if self.row else ""
        return f"{self.table}: {place}{self.column} = {self.value:.10g}"


def printed_numbers(text: str) -> list[Printed]:
    """Return every number that a Markdown document prints, code and links left out."""
    found = []
    heading: set[str] = set()
    header: set[str] = set()
    columns: list[str] = []
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        shown = _NOT_PRINTED.sub(lambda match: " " * len(match.group()), line)
        if line.startswith("#"):
            heading, header = _words(line), set()
        elif line.startswith("|") and not header:
            header, columns = _words(line), [cell.strip() for cell in line.split("|")]
        elif not line.startswith("|"):
            header = set()
        for match in _NUMBER.finditer(shown):
            digits = match["digits"].replace(",", "")
            unit = _UNITS.get(match["unit"] or "", 1.0)
            place = line.count("|", 0, match.start())
            sign = -1.0 if match["sign"] in ("-", "−") else 1.0
            found.append(
                Printed(
                    line=number,
                    text=match.group().strip(),
                    value=sign * float(digits) * unit,
                    half=(0.5 * 10.0 ** -len(digits.partition(".")[2]) + 1e-9) * unit,
                    percent=match["unit"] in ("%", " %"),
                    context=frozenset(_words(line) | heading | header),
                    column=columns[place] if header and place < len(columns) else "",
                )
            )
    return found


def table_cells(path: Path, name: str) -> list[Cell]:
    """Return every numeric cell of a CSV table, called `name`."""
    cells = []
    with path.open(encoding="utf-8", newline="") as handle:
        for number, row in enumerate(csv.DictReader(handle), start=1):
            texts = [value for value in row.values() if value and _as_number(value) is None]
            words = _words(" ".join(texts))
            for column, text in row.items():
                value = _as_number(text or "")
                if value is not None:
                    cell_words = frozenset(words | _words(column or ""))
                    label = ", ".join(text for text in texts if len(text) < 40)
                    cells.append(Cell(name, number, column or "", value, cell_words, label))
    return cells


def weight_cells(path: Path, name: str) -> list[Cell]:
    """Return the number of weights that a fingerprint file counts up to, called `name`."""
    shards = json.loads(path.read_text(encoding="utf-8"))["shards"].values()
    shapes = [tensor["shape"] for shard in shards for tensor in shard["tensors"].values()]
    total = float(sum(math.prod(shape) for shape in shapes))
    return [Cell(name, 0, "number of weights", total, frozenset({"parameters"}), "")]


def argument_cells(arguments: Any, name: str = "") -> list[Cell]:
    """Return every number among a job's arguments, called by its dotted name.

    Texts count too: a condition is described to the document in words.
    """
    if isinstance(arguments, dict):
        return [
            cell
            for key, value in arguments.items()
            for cell in argument_cells(value, f"{name}.{key}" if name else str(key))
        ]
    if isinstance(arguments, list | tuple):
        cells = [cell for item in arguments for cell in argument_cells(item, name)]
        count = Cell("arguments", 0, f"number of {name}", float(len(arguments)), frozenset(), "")
        return [*cells, count]
    if isinstance(arguments, str):
        values = [number.value for number in printed_numbers(arguments)]
        return [Cell("arguments", 0, name, value, frozenset(_words(name)), "") for value in values]
    if isinstance(arguments, int | float) and not isinstance(arguments, bool):
        return [Cell("arguments", 0, name, float(arguments), frozenset(_words(name)), "")]
    return []


class Cells:
    """All cells a document may quote, searchable by value."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._cells = sorted(cells, key=lambda cell: abs(cell.value))

    @cached_property
    def _values(self) -> list[float]:
        return [abs(cell.value) for cell in self._cells]

    def has(self, printed: Printed) -> bool:
        """Whether any cell shows as `printed`."""
        return any(low < high for low, high in self._ranges(printed))

    def matching(self, printed: Printed) -> list[Cell]:
        """Return the cells that show as `printed`, the most likely one first."""
        found = [cell for low, high in self._ranges(printed) for cell in self._cells[low:high]]
        return sorted(found, key=lambda cell: _distance(cell, printed))

    def _ranges(self, printed: Printed) -> Iterator[tuple[int, int]]:
        """Yield the ranges of cells that show as `printed`: as they are, or in percent."""
        for scale in (100.0,) if printed.percent else (1.0, 100.0):
            low = bisect.bisect_left(self._values, (abs(printed.value) - printed.half) / scale)
            high = bisect.bisect_right(self._values, (abs(printed.value) + printed.half) / scale)
            yield low, high


def _distance(cell: Cell, printed: Printed) -> tuple[float, ...]:
    """Order matching cells: shared words (few strangers; a column's own words count twice), same
    sign, tables before arguments.
    """
    shared = len(cell.words & printed.context) + len(cell.words & _words(printed.column))
    strangers = len(cell.words - printed.context)
    wrong_sign = cell.value * printed.value < 0
    return (wrong_sign, strangers - 2 * shared, cell.row == 0, cell.row)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower().replace("_", " ")))


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
