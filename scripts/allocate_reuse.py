"""Say where each module of a condition that reuses others comes from."""

import argparse

from goodhart_gap.compression.allocation import module_shapes
from goodhart_gap.compression.reuse import allocate_reuse
from goodhart_gap.compression.settings import ConditionSettings
from goodhart_gap.files import read_json, write_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--fingerprints", many=True)
script.input("--reused", many=True)
script.value("--model")
script.value("--condition")
script.output("--allocation")
script.settings("--settings", ConditionSettings)


def main(args: argparse.Namespace) -> None:
    shapes = module_shapes(read_json(path) for path in args.fingerprints)
    reused = {path.parent.name: read_json(path) for path in args.reused}
    content = allocate_reuse(args.model, args.condition, args.settings, shapes, reused)
    write_json(args.allocation, content)


if __name__ == "__main__":
    script.run(main)
