"""Decide which modules of a model are compressed, and how."""

import argparse

from goodhart_gap.compression.allocation import allocate, module_shapes
from goodhart_gap.compression.settings import ConditionSettings
from goodhart_gap.files import read_json, write_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--fingerprints", many=True)
script.value("--model")
script.value("--condition")
script.output("--allocation")
script.settings("--settings", ConditionSettings)


def main(args: argparse.Namespace) -> None:
    shapes = module_shapes(read_json(path) for path in args.fingerprints)
    write_json(args.allocation, allocate(args.model, args.condition, args.settings, shapes))


if __name__ == "__main__":
    script.run(main)
