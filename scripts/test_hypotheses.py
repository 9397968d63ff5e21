"""Compare every condition with the baseline: paired differences, tests, flips, transitions."""

import argparse

from goodhart_gap.analysis.comparisons import category_table, comparison_table, influence_table
from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.flips import flip_table, transition_table
from goodhart_gap.analysis.graders import grader_gate
from goodhart_gap.analysis.outcomes import read_outcome_table, select_conditions
from goodhart_gap.analysis.settings import ExperimentDesign, StatisticsSettings
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--table")
script.input("--graders", optional=True)
script.value("--grader", optional=True)
script.settings("--design", ExperimentDesign)
script.settings("--statistics", StatisticsSettings)
for name in ("comparisons", "categories", "influence", "transitions", "flips"):
    script.output(f"--{name}")


def main(args: argparse.Namespace) -> None:
    design: ExperimentDesign = args.design
    settings: StatisticsSettings = args.statistics
    if args.graders:
        gate = grader_gate(read_rows(args.graders), args.grader)
        design = design.model_copy(update={"grader_gate": gate})
    outcomes = select_conditions(read_outcome_table(args.table), design.conditions)
    write_csv(args.comparisons, comparison_table(outcomes, design, settings))
    write_csv(args.categories, category_table(outcomes, design, settings))
    write_csv(args.influence, influence_table(outcomes, design, settings))
    write_csv(args.transitions, transition_table(outcomes, design))
    write_csv(args.flips, flip_table(outcomes, design, settings))


if __name__ == "__main__":
    script.run(main)
