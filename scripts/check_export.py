"""Compare an exported checkpoint with our runtime: logits and greedy continuations."""

import argparse

from goodhart_gap.files import write_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--shards", many=True)
script.input("--index")
script.input("--base-config")
script.input("--fingerprint")
script.input("--tokens")
script.input("--exported", many=True)
script.value("--format")
script.output("--agreement")

SEQUENCES, LENGTH = 2, 64
"""Held-out calibration tokens that are compared."""


def main(args: argparse.Namespace) -> None:
    from safetensors.torch import load_file

    from goodhart_gap.runtime.exports.agreement import check, compare
    from goodhart_gap.runtime.exports.loading import load_export
    from goodhart_gap.runtime.load import load_model

    tokens = load_file(args.tokens)["held_out"][:SEQUENCES, :LENGTH].long()
    ours = load_model(args.base_config, args.fingerprint, args.shards, "float32", index=args.index)
    theirs = load_export(args.format, args.exported)
    agreement = compare(ours, theirs, tokens, args.format)
    check(agreement, str(args.exported[0].parent))
    write_json(args.agreement, agreement.record())


if __name__ == "__main__":
    script.run(main)
