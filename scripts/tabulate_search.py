"""Write the steps of a search for the smallest protected set, from the outcomes it asked for."""

import argparse

from goodhart_gap.analysis.csv_tables import write_csv
from goodhart_gap.analysis.outcomes import read_outcomes
from goodhart_gap.analysis.searches import SearchFacts, walk
from goodhart_gap.errors import GoodhartError
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--outcomes", many=True)
script.settings("--facts", SearchFacts)
script.output("--search")


def main(args: argparse.Namespace) -> None:
    outcomes = read_outcomes(args.outcomes)
    by_condition = dict(iter(outcomes.groupby("condition")))
    steps, asked = walk(args.facts, by_condition)
    if asked:
        raise GoodhartError(
            f"{asked}: the search needs its outcomes; run goodhart-gap bisect "
            f"{args.facts.experiment}."
        )
    write_csv(args.search, steps)


if __name__ == "__main__":
    script.run(main)
