"""On the pod: copy its log to S3 every few seconds, and say at the end how it ended.

    python -m goodhart_gap.operations.pods.report --log pod.log --prefix s3://bucket/x --follow

RunPod's API has no logs; whoever follows the run reads these two objects.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import write_json
from goodhart_gap.provenance.redaction import redact
from goodhart_gap.storage.store import Store

LOG, END = ".pod/log", ".pod/end.json"
EVERY_S = 10.0


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


def main() -> None:
    """Follow the log, or send it once with the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--end", type=int)
    arguments = parser.parse_args()
    store = Store(arguments.prefix)
    while True:
        try:
            send_log(store, arguments.log)
            if arguments.end is not None:
                send_end(store, arguments.end)
        except GoodhartError as error:
            print(f"error: {error}", file=sys.stderr)
        if not arguments.follow:
            return
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main()
