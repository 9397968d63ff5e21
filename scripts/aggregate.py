"""Outcomes of an experiment to its descriptive tables."""

import argparse

from goodhart_gap.analysis.csv_tables import write_csv
from goodhart_gap.analysis.outcomes import read_outcomes, select_conditions
from goodhart_gap.analysis.seeds import seed_table, seed_variance_table
from goodhart_gap.analysis.settings import ExperimentDesign
from goodhart_gap.analysis.tables import (
    count_table,
    coverage_table,
    quadrant_table,
    rate_table,
    response_table,
)
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--outcomes", many=True)
script.settings("--design", ExperimentDesign)
script.value("--confidence", float)
for name in (
    "table",
    "quadrants",
    "rates",
    "by-task",
    "by-category",
    "responses",
    "coverage",
    "seeds",
    "seed-variance",
):
    script.output(f"--{name}")


def main(args: argparse.Namespace) -> None:
    design: ExperimentDesign = args.design
    names = design.conditions
    outcomes = select_conditions(read_outcomes(args.outcomes), names)
    write_csv(args.table, outcomes)
    write_csv(args.quadrants, quadrant_table(outcomes, names))
    write_csv(args.rates, rate_table(outcomes, names, args.confidence))
    write_csv(args.by_task, count_table(outcomes, names, ["category", "task"]))
    write_csv(args.by_category, count_table(outcomes, names, ["category"]))
    write_csv(args.responses, response_table(outcomes, names))
    write_csv(args.coverage, coverage_table(outcomes, names, design.seeds, design.runs))
    write_csv(args.seeds, seed_table(outcomes, names))
    write_csv(args.seed_variance, seed_variance_table(outcomes, names))


if __name__ == "__main__":
    script.run(main)
