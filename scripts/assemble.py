"""Join the compressed shards of a model to a checkpoint, and check them."""

import argparse
import shutil

from goodhart_gap.compression.allocation import read_allocation
from goodhart_gap.compression.assemble import (
    assemble,
    tensor_bytes,
    write_config,
    write_fidelity,
    write_index,
)
from goodhart_gap.compression.settings import ConditionSettings
from goodhart_gap.files import read_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--shards", many=True)
script.input("--embeddings")
script.input("--base-config")
script.input("--fingerprint")
script.input("--allocation")
script.input("--companions", many=True)
script.value("--condition")
script.output("--index")
script.output("--config")
script.output("--fidelity")
script.output("--copies", many=True)
script.settings("--settings", ConditionSettings)


def main(args: argparse.Namespace) -> None:
    base = read_json(args.fingerprint)
    checkpoint = assemble(
        args.shards,
        args.embeddings,
        args.index.parent,
        base,
        read_allocation(args.allocation),
        args.settings.minimum_correlation,
    )
    total_bytes = sum(tensor_bytes(path) for path in [*args.shards, args.embeddings])
    write_index(args.index, checkpoint, total_bytes)
    write_config(args.config, args.base_config, checkpoint, args.condition, base["fingerprint"])
    write_fidelity(args.fidelity, checkpoint.rows)
    # Tokenizer and generation config stand beside the weights, as transformers expects them.
    for companion, copy in zip(args.companions, args.copies, strict=True):
        shutil.copyfile(companion, copy)


if __name__ == "__main__":
    script.run(main)
