"""Measure how much a model's output suffers when one block alone is compressed, block by block."""

import argparse

import torch

from goodhart_gap.compression.sensitivity import measure_sensitivity, write_sensitivity
from goodhart_gap.models.devices import first_device
from goodhart_gap.models.skeleton import read_config
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--config")
script.input("--tokens")
script.input("--embeddings")
script.input("--shards", many=True)
script.input("--compressed", many=True)
script.value("--limit", int)
script.value("--threads", int)
script.output("--sensitivity")


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    compressed: dict[str, list] = {}
    for path in args.compressed:
        compressed.setdefault(path.parent.name, []).append(path)
    variants = measure_sensitivity(
        read_config(args.config.parent),
        args.tokens,
        args.embeddings,
        sorted(args.shards),
        {condition: sorted(paths) for condition, paths in compressed.items()},
        args.limit,
        first_device(),
    )
    write_sensitivity(args.sensitivity, variants)


if __name__ == "__main__":
    script.run(main)
