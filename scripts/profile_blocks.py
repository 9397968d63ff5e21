"""Measure what compressing one block alone does to the model, for every block."""

import argparse

import torch

from goodhart_gap.files import completed
from goodhart_gap.models.devices import first_device
from goodhart_gap.models.skeleton import read_config
from goodhart_gap.runtime.profile import COLUMNS, Profiled, profile_rows
from goodhart_gap.runtime.settings import ProfileSettings
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--config")
script.input("--tokens")
script.input("--embeddings")
script.input("--base", many=True)
script.input("--shards", many=True)
script.input("--index")
script.value("--threads", int)
script.output("--profile")
script.settings("--settings", ProfileSettings)


def main(args: argparse.Namespace) -> None:
    import csv

    from safetensors.torch import load_file

    torch.set_num_threads(args.threads)
    files = Profiled(args.embeddings, args.base, args.shards)
    held_out = load_file(args.tokens)["held_out"][: args.settings.sequences]
    device = first_device()
    rows = profile_rows(
        read_config(args.config.parent),
        files,
        held_out,
        args.settings.negatives,
        args.settings.seed,
        device,
    )
    with completed(args.profile) as path, path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    script.run(main)
