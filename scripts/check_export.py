"""Compare an exported checkpoint with our runtime: logits and greedy continuations.

Once in float32, where only the numbers differ that a format cannot hold, and once in bfloat16, as
models are run.
"""

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

SEQUENCES, LENGTH = 4, 64
"""Held-out calibration tokens that are compared, and continued."""

DTYPES = ("float32", "bfloat16")


def main(args: argparse.Namespace) -> None:
    import torch
    from safetensors.torch import load_file

    from goodhart_gap.runtime.exports.agreement import check, compare
    from goodhart_gap.runtime.exports.loading import load_export
    from goodhart_gap.runtime.exports.reference import load_reference

    tokens = load_file(args.tokens)["held_out"][:SEQUENCES, :LENGTH].long()
    agreements = []
    for dtype in DTYPES:
        ours = load_reference(
            args.format, args.base_config, args.fingerprint, args.shards, args.index, dtype
        )
        theirs = load_export(args.format, args.exported, getattr(torch, dtype))
        agreement = compare(ours, theirs, tokens, args.format)
        check(agreement, str(args.exported[0].parent))
        agreements.append(agreement.record())
    write_json(args.agreement, {"format": args.format, "agreements": agreements})


if __name__ == "__main__":
    script.run(main)
