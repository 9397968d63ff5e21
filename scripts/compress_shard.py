"""Compress the matrices of one shard of a base checkpoint."""

import argparse

from goodhart_gap.compression.allocation import read_allocation
from goodhart_gap.compression.shard import compress_shard
from goodhart_gap.files import read_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--base")
script.input("--fingerprint")
script.input("--hessians")
script.input("--allocation")
script.value("--threads", int)
script.output("--compressed")


def main(args: argparse.Namespace) -> None:
    compress_shard(
        args.base,
        read_json(args.fingerprint),
        args.hessians,
        read_allocation(args.allocation),
        args.compressed,
        workers=args.threads,
    )


if __name__ == "__main__":
    script.run(main)
