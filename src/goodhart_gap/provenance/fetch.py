"""Bring results here from where another clone left them: a folder, or a prefix on S3.

Files that are here already are left alone. Nothing is believed on the way: `adopt` hashes every
artifact against its manifest afterwards.
"""

import shutil
from collections.abc import Set
from pathlib import Path, PurePosixPath

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import completed
from goodhart_gap.storage.store import Store


def fetch_results(
    source: str, results: Path, leave: Set[str] = frozenset(), *, empty: bool = False
) -> list[Path]:
    """Copy every file under `source` that `results` lacks; return the copies.

    `source` is a folder or `s3://bucket/prefix`; `leave` names files, relative to it, that are not
    copied. Raises GoodhartError if it is not there; a prefix that holds nothing is no error where
    `empty` allows it.
    """
    if source.startswith("s3://"):
        return _fetch_s3(Store(source), results, leave, empty)
    folder = Path(source)
    if not folder.is_dir():
        raise GoodhartError(
            f"{source}: no such folder; give the folder or s3:// prefix of results."
        )
    copies = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder).as_posix()
        target = _target(name, results)
        if target is not None and name not in leave:
            with completed(target) as partial:
                shutil.copy2(file, partial)
            copies.append(target)
    return copies


def _target(name: str, results: Path) -> Path | None:
    """Return where a file goes; None for hidden ones and for those that are here already."""
    parts = PurePosixPath(name).parts
    target = results.joinpath(*parts)
    hidden = any(part.startswith(".") for part in parts)
    return None if hidden or target.exists() else target


def _fetch_s3(store: Store, results: Path, leave: Set[str], empty: bool) -> list[Path]:
    names = store.list()
    if not names and not empty:
        raise GoodhartError(f"{store.prefix}: holds nothing; give the s3:// prefix of results.")
    wanted = {name: _target(name, results) for name in names if name not in leave}
    copies = {name: target for name, target in wanted.items() if target is not None}
    store.download_all(copies)
    return list(copies.values())
