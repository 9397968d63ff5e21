"""Choose for each block or matrix of a model how it is compressed, under a budget of bits."""

import argparse
import json

from goodhart_gap.compression.budgeted import allocate_budget, read_losses, write_why
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.compression.settings import Budget
from goodhart_gap.files import read_json, write_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--fingerprints", many=True)
script.input("--losses", many=True)
script.value("--model")
script.value("--condition")
script.value("--candidates")
script.output("--allocation")
script.output("--why")
script.settings("--budget", Budget)


def main(args: argparse.Namespace) -> None:
    candidates = {
        name: MatrixSettings.model_validate(settings)
        for name, settings in json.loads(args.candidates).items()
    }
    allocated = allocate_budget(
        args.model,
        args.condition,
        args.budget,
        candidates,
        read_losses(args.losses, args.budget.loss),
        [read_json(path) for path in args.fingerprints],
    )
    write_json(args.allocation, allocated.content)
    write_why(args.why, allocated.why)


if __name__ == "__main__":
    script.run(main)
