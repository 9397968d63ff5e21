"""SHA-256 of files of any size, read once and never held in memory."""

import hashlib
import json
from pathlib import Path

from goodhart_gap.files import write_text

KEPT_BYTES = 10_000_000
"""The hash of a larger source file is kept, so that the next job need not read it again."""

KEPT = Path(".cache/hashes")
"""Where such hashes are kept, one small file each, under the workflow's folder."""


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal. Raises OSError if it cannot be read."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Return the SHA-256 of `text` in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_source(path: Path) -> str:
    """Return the SHA-256 of a file that has no manifest, remembering that of a large one.

    The memory holds as long as size, inode and times of the file stay the same.
    """
    status = path.stat()
    if status.st_size < KEPT_BYTES:
        return sha256_file(path)
    state = [status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]
    note = KEPT / f"{sha256_text(str(path.resolve()))}.json"
    try:
        kept = json.loads(note.read_text())
        if kept["state"] == state:
            return str(kept["sha256"])
    except (OSError, ValueError, KeyError):
        pass  # No memory of it, or an unreadable one: hash it.
    digest = sha256_file(path)
    write_text(note, json.dumps({"state": state, "sha256": digest}))
    return digest
