"""Measure how far a condition's model is from the base on held-out text."""

import argparse

import torch

from goodhart_gap.files import completed
from goodhart_gap.runtime.divergence import COLUMNS, divergence_rows
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--config")
script.input("--fingerprint")
script.input("--tokens")
script.input("--base", many=True)
script.input("--shards", many=True)
script.input("--index")
script.value("--threads", int)
script.output("--divergence")


def main(args: argparse.Namespace) -> None:
    import csv

    from safetensors.torch import load_file

    from goodhart_gap.models.devices import available_device
    from goodhart_gap.runtime.load import load_model

    torch.set_num_threads(args.threads)
    device = available_device()
    base = load_model(args.config, args.fingerprint, args.base, device=device)
    treated = load_model(
        args.config, args.fingerprint, args.shards, device=device, index=args.index
    )
    held_out = load_file(args.tokens)["held_out"]
    with completed(args.divergence) as path, path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(divergence_rows(base, treated, held_out))


if __name__ == "__main__":
    script.run(main)
