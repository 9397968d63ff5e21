"""Join the fingerprints of a base model's shards into the fingerprint of the model."""

import argparse

from goodhart_gap.files import read_json, write_json
from goodhart_gap.models.fingerprints import fingerprint_model
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--shards", many=True)
script.output("--fingerprint")


def main(args: argparse.Namespace) -> None:
    write_json(args.fingerprint, fingerprint_model(read_json(path) for path in args.shards))


if __name__ == "__main__":
    script.run(main)
