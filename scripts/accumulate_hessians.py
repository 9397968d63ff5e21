"""Accumulate the Hessians of one shard's linear layers."""

import argparse

import torch

from goodhart_gap.calibration.hessians import HessianJob, accumulate_hessians
from goodhart_gap.models.devices import first_device
from goodhart_gap.models.fingerprints import read_shard_fingerprint
from goodhart_gap.models.skeleton import read_config
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--config")
script.input("--tokens")
script.input("--embeddings", optional=True)
script.input("--before", optional=True)
script.input("--weights")
script.input("--fingerprint")
script.value("--shard")
# A setting, no hint: the order of its sums depends on it.
script.value("--calibration-threads", int)
script.output("--hessians", optional=True)
script.output("--passing-hessians", optional=True, temporary=True)
script.output("--after", temporary=True)


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.calibration_threads)
    job = HessianJob(
        shard=args.shard,
        tokens=args.tokens,
        embeddings=args.embeddings,
        before=args.before,
        weights=args.weights,
        hessians=args.hessians or args.passing_hessians,
        after=args.after,
    )
    device = first_device()
    fingerprint = read_shard_fingerprint(args.fingerprint)
    accumulate_hessians(read_config(args.config.parent), job, fingerprint, device)


if __name__ == "__main__":
    script.run(main)
