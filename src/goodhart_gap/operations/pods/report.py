"""On the pod: copy its log to S3 every few seconds, and say at the end how it ended.

    python -m goodhart_gap.operations.pods.report --follow --log L --prefix P --results R

RunPod's API has no logs; whoever follows the run reads these two objects. What is finished of the
small results is copied every few minutes, too: a pod may be gone before a stage has ended.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import write_json
from goodhart_gap.provenance.mirror import mirror
from goodhart_gap.provenance.redaction import redact
from goodhart_gap.storage.store import Store

LOG, END = ".pod/log", ".pod/end.json"
EVERY_S = 10.0
COPY_EVERY_S = 180.0


def send_log(store: Store, log: Path) -> None:
    """Copy the log, secrets masked."""
    with tempfile.TemporaryDirectory() as folder:
        masked = Path(folder, "log")
        masked.write_text(redact(log.read_text(errors="replace")))
        store.upload(masked, LOG)


def send_end(store: Store, code: int) -> None:
    """Say how the run ended."""
    with tempfile.TemporaryDirectory() as folder:
        end = Path(folder, "end.json")
        write_json(end, {"code": code})
        store.upload(end, END)


def follow(store: Store, log: Path, results: Path) -> None:
    """Copy the log and the small results, over and over, until this process is ended."""
    copied_s = time.monotonic()
    while True:
        _try(lambda: send_log(store, log))
        if time.monotonic() - copied_s >= COPY_EVERY_S:
            _try(lambda: mirror(results, store, small=True))
            copied_s = time.monotonic()
        time.sleep(EVERY_S)


def _try(copy: Callable[[], object]) -> None:
    """Copy; what goes wrong is told, since the next time is soon."""
    try:
        copy()
    except GoodhartError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
    except Exception as error:
        # Whatever it is, e.g. a folder that went while it was read: it must not end the copying.
        print(f"error: copying: {redact(repr(error))}", file=sys.stderr, flush=True)


def main() -> None:
    """Follow the run, or send the log once with the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--end", type=int)
    arguments = parser.parse_args()
    store = Store(arguments.prefix)
    if arguments.follow:
        follow(store, arguments.log, arguments.results)
    _try(lambda: send_log(store, arguments.log))
    if arguments.end is not None:
        _try(lambda: send_end(store, arguments.end))


if __name__ == "__main__":
    main()
