"""Notice, before any work starts, that a finished file is no longer what its job made."""

from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.hashing import sha256_source
from goodhart_gap.provenance.manifest import manifest_path, read_manifest


def refuse_damaged(path: Path) -> None:
    """Raise GoodhartError when the bytes of `path` are not those its manifest records.

    A missing file is not damaged, and one without a manifest was not finished. A file of the
    recorded size and modification time is taken as it is; any other is hashed, so that a copy or a
    touched file passes.
    """
    if not path.exists() or not manifest_path(path).exists():
        return
    made, status = read_manifest(manifest_path(path)).output, path.stat()
    if (status.st_size, status.st_mtime_ns) == (made.size_bytes, made.modified_ns):
        return
    found = sha256_source(path)
    if found != made.sha256:
        raise GoodhartError(
            f"{path}: has sha256 {found}, but was finished with {made.sha256}, so it was damaged "
            "or replaced; delete it and run again (what was made from it is kept)."
        )
