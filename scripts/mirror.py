"""Copy the finished files of one folder of results to S3."""

import argparse
from pathlib import Path

from goodhart_gap.provenance.mirror import mirror_folder
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--finished", many=True)  # what must be finished first
script.value("--prefix")
script.value("--patience", float, hint=True)
script.value("--results", Path)
script.value("--folder")
script.output("--record")


def main(args: argparse.Namespace) -> None:
    mirror_folder(args.prefix, args.patience, args.results, args.folder, args.record)


if __name__ == "__main__":
    script.run(main)
