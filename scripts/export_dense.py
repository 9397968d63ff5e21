"""Write a compressed checkpoint as an ordinary one, its weights dense."""

import argparse
import shutil

from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--shards", many=True)
script.input("--index")
script.input("--base-config")
script.input("--companions", many=True)
script.output("--weights")
script.output("--config")
script.output("--copies", many=True)


def main(args: argparse.Namespace) -> None:
    from goodhart_gap.runtime.exports.dense import export_dense, write_config

    export_dense(args.shards, args.index, args.weights)
    write_config(args.base_config, args.config)
    for companion, copy in zip(args.companions, args.copies, strict=True):
        shutil.copyfile(companion, copy)


if __name__ == "__main__":
    script.run(main)
