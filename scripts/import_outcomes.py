"""Write the outcome file of one run of a recorded experiment from its facts table."""

import argparse

from goodhart_gap.analysis.records import outcomes_of_run, read_facts
from goodhart_gap.files import write_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--record")
script.value("--experiment")
script.value("--model")
script.value("--condition")
script.value("--seed", int)
script.value("--run", int)
script.output("--outcomes")


def main(args: argparse.Namespace) -> None:
    outcomes = outcomes_of_run(
        read_facts(args.record),
        experiment=args.experiment,
        model=args.model,
        condition=args.condition,
        seed=args.seed,
        run=args.run,
    )
    write_json(args.outcomes, outcomes)


if __name__ == "__main__":
    script.run(main)
