"""CSV tables: written with fixed number formats, read back as plain values, blank meaning none.

Reading needs no pandas, so that drawing and writing start fast.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goodhart_gap.errors import GoodhartError

if TYPE_CHECKING:
    import pandas as pd

INTEGER = re.compile(r"-?\d+")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write `table`; floats keep ten significant digits, undefined cells are blank."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, float_format="%.10g", na_rep="", lineterminator="\n")


def read_rows(path: Path, text: Collection[str] = ()) -> list[dict[str, Any]]:
    """Read a table as dictionaries of int, float, bool, str, or None where a cell is blank.

    Columns named in `text` stay as written.

    Raises GoodhartError when a line has more or fewer cells than the header.
    """
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.reader(handle)
        header = next(reader, None)
        if header is None:
            raise GoodhartError(f"{path}: the table is empty; delete it and rerun.")
        rows = []
        for cells in reader:
            if len(cells) != len(header):
                raise GoodhartError(
                    f"{path}: line {reader.line_num} has {len(cells)} cells, the header "
                    f"{len(header)}; delete the file and rerun."
                )
            rows.append(
                {
                    name: cell if name in text else _plain(cell)
                    for name, cell in zip(header, cells, strict=True)
                }
            )
    return rows


def _plain(cell: str) -> Any:
    if cell == "":
        return None
    if cell in ("True", "False"):
        return cell == "True"
    if INTEGER.fullmatch(cell):
        return int(cell)
    try:
        return float(cell)
    except ValueError:
        return cell
