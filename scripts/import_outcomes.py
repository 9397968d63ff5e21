"""Write the outcome files of a recorded experiment, one a run, from its facts table."""

import argparse
from itertools import product

from goodhart_gap.analysis.records import outcomes_of_run, read_facts
from goodhart_gap.analysis.settings import ExperimentDesign
from goodhart_gap.files import write_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--record")
script.value("--experiment")
script.value("--model")
script.settings("--design", ExperimentDesign)
script.output("--outcomes", many=True)


def main(args: argparse.Namespace) -> None:
    facts = read_facts(args.record)
    design: ExperimentDesign = args.design
    runs = product(design.conditions, design.seeds, range(design.runs))
    for (condition, seed, run), path in zip(runs, args.outcomes, strict=True):
        outcomes = outcomes_of_run(
            facts,
            experiment=args.experiment,
            model=args.model,
            condition=condition,
            seed=seed,
            run=run,
        )
        write_json(path, outcomes)


if __name__ == "__main__":
    script.run(main)
