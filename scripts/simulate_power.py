"""Simulate what larger experiments would find, from an experiment's own variance components."""

import argparse

from goodhart_gap.analysis.csv_tables import write_csv
from goodhart_gap.analysis.outcomes import read_outcome_table, select_conditions
from goodhart_gap.analysis.power import power_table
from goodhart_gap.analysis.settings import ExperimentDesign, StatisticsSettings
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--table")
script.settings("--design", ExperimentDesign)
script.settings("--statistics", StatisticsSettings)
script.output("--power")


def main(args: argparse.Namespace) -> None:
    outcomes = select_conditions(read_outcome_table(args.table), args.design.conditions)
    write_csv(args.power, power_table(outcomes, args.design, args.statistics))


if __name__ == "__main__":
    script.run(main)
