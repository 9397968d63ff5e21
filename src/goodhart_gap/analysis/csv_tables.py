"""CSV tables: written with fixed number formats, read back with blanks where a cell is empty."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from goodhart_gap.errors import GoodhartError


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write `table`; floats keep ten significant digits, undefined cells are blank."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, float_format="%.10g", na_rep="", lineterminator="\n")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a table as dictionaries with plain Python values, None where a cell is blank."""
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except pd.errors.EmptyDataError as error:
        raise GoodhartError(f"{path}: the table is empty; delete it and rerun.") from error
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
