"""A journal beside an unfinished file: what a killed job had finished, for the one after it.

    journal = Journal(path, key)        # the key names everything the records depend on
    done = journal.read()               # [] where there is none, or it belongs to another key
    journal.append(records)

Each call of `append` writes one line, a whole batch, so a batch is there entirely or not at all.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from goodhart_gap.files import write_jsonl


class Journal:
    """Batches of records that survive the death of the process that made them."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key

    def read(self) -> list[dict[str, Any]]:
        """Return the records of whole batches; start anew where the journal has another key."""
        batches = self._batches()
        # A line that was cut by the kill goes, so that what is appended starts on its own line.
        write_jsonl(self.path, [self.key, *batches])
        return [record for batch in batches for record in batch]

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Add a batch, and wait until the disk has it."""
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(list(records), ensure_ascii=False) + "\n")
            handle.flush()
            os.fsync(handle.fileno())

    def _batches(self) -> list[list[dict[str, Any]]]:
        if not self.path.exists():
            return []
        # What stands after the last newline is nothing, or a line that was cut by the kill.
        lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
        whole = [json.loads(line) for line in lines]
        return whole[1:] if whole and whole[0] == self.key else []
