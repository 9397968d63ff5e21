"""Reading and writing small files, so that a partial file never looks complete."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from goodhart_gap.errors import GoodhartError


def partial_path(path: Path) -> Path:
    """Return the temporary name that stands for `path` until it is whole.

    It lies in the same folder, so that the rename is atomic, and keeps the suffix, so that
    writers that look at it (matplotlib, pandas) still know the format.
    """
    return path.with_name(f".partial-{os.getpid()}-{path.name}")


def journal_path(path: Path) -> Path:
    """Return where an unfinished `path` may keep what is finished of it, for the next try."""
    return path.with_name(f".journal-{path.name}")


@contextmanager
def completed(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; rename it to `path` if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    try:
        yield partial
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with completed(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON with a final newline, atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises GoodhartError naming the file and line when it does not parse."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise GoodhartError(
            f"{path}: not valid JSON at line {error.lineno} ({error.msg}); delete it and rerun."
        ) from error


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """Write one compact JSON value a line, atomically."""
    with completed(path) as partial, partial.open("w", encoding="utf-8") as handle:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def read_jsonl(path: Path) -> list[Any]:
    """Read one JSON value a line. Raises GoodhartError naming the file and line that is broken."""
    rows = []
    with path.open(encoding="utf-8") as handle:
        for number, line in enumerate(handle, start=1):
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise GoodhartError(
                    f"{path}: line {number} is not valid JSON ({error.msg}); "
                    "delete the file and rerun."
                ) from error
    return rows
