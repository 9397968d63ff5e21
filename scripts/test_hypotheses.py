"""Compare every condition with the baseline: paired differences, tests, flips, transitions."""

import argparse

from goodhart_gap.analysis.comparisons import category_table, comparison_table, influence_table
from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.flips import flip_table, move_table, transition_table
from goodhart_gap.analysis.graders import corrected_table, gate_table
from goodhart_gap.analysis.outcomes import read_outcome_table, select_conditions
from goodhart_gap.analysis.settings import ExperimentDesign, StatisticsSettings
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--table")
script.input("--rates")
script.input("--graders", optional=True)
script.value("--grader", optional=True)
script.settings("--design", ExperimentDesign)
script.settings("--statistics", StatisticsSettings)
for name in ("comparisons", "categories", "influence", "transitions", "moves", "flips"):
    script.output(f"--{name}")
for name in ("gate", "corrected"):
    script.output(f"--{name}")


def main(args: argparse.Namespace) -> None:
    settings: StatisticsSettings = args.statistics
    graders = read_rows(args.graders) if args.graders else []
    gate = gate_table(graders, args.grader)
    design = args.design.model_copy(update={"grader_gate": gate.loc[0, "gate"]})
    outcomes = select_conditions(read_outcome_table(args.table), design.conditions)
    write_csv(args.comparisons, comparison_table(outcomes, design, settings))
    write_csv(args.categories, category_table(outcomes, design, settings))
    write_csv(args.influence, influence_table(outcomes, design, settings))
    write_csv(args.transitions, transition_table(outcomes, design))
    write_csv(args.moves, move_table(outcomes, design))
    write_csv(args.flips, flip_table(outcomes, design, settings))
    write_csv(args.gate, gate)
    write_csv(args.corrected, corrected_table(read_rows(args.rates), graders, args.grader or ""))


if __name__ == "__main__":
    script.run(main)
