"""What is known of source files from earlier processes, so that they need not be parsed again.

One small JSON file, keyed by the content of the source. Losing it costs a fraction of a second;
where it cannot be written, every process parses for itself.
"""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from goodhart_gap.files import write_text

MOST_ENTRIES = 5000
"""When the file holds more, it is begun anew."""


class ParsedFiles:
    """Facts by key, read from `file` at first use and kept there."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._facts: dict[str, Any] | None = None
        self._new = False

    @staticmethod
    def key(*parts: bytes) -> str:
        """Return the key of some contents."""
        digest = hashlib.sha256()
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()[:32]

    def get(self, key: str) -> Any:
        """Return what is known, or None."""
        if self._facts is None:
            try:
                found = json.loads(self._file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                found = {}
            usable = isinstance(found, dict) and len(found) <= MOST_ENTRIES
            self._facts = found if usable else {}
        return self._facts.get(key)

    def add(self, key: str, fact: Any) -> None:
        """Remember a fact; `save` writes it."""
        assert self._facts is not None
        self._facts[key] = fact
        self._new = True

    def save(self) -> None:
        """Write what is new; silently not, where that is not allowed."""
        if self._new:
            self._new = False
            with contextlib.suppress(OSError):
                write_text(self._file, json.dumps(self._facts))
