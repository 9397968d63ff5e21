"""Write the dense weights of a compressed checkpoint as a GGUF file."""

import argparse

from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--shards", many=True)
script.input("--index")
script.input("--base-config")
script.input("--tokenizer", many=True)
script.output("--gguf")


def main(args: argparse.Namespace) -> None:
    from goodhart_gap.runtime.exports.gguf_file import export_gguf

    folder = args.tokenizer[0].parent
    export_gguf(args.shards, args.index, args.base_config, folder, args.gguf)


if __name__ == "__main__":
    script.run(main)
