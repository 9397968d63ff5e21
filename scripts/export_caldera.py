"""Write a compressed checkpoint as a folder that stands alone, as stored, embeddings included."""

import argparse
import shutil

from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--shards", many=True)
script.input("--index")
script.input("--config")
script.input("--companions", many=True)
script.output("--weights")
script.output("--copies", many=True)


def main(args: argparse.Namespace) -> None:
    from goodhart_gap.runtime.exports.whole import export_whole

    export_whole(args.shards, args.index, args.config, args.weights)
    for companion, copy in zip([args.config, *args.companions], args.copies, strict=True):
        shutil.copyfile(companion, copy)


if __name__ == "__main__":
    script.run(main)
