"""Rank the blocks of a model by every measure of a profile, and compare the rankings."""

import argparse

from goodhart_gap.analysis.block_profiles import (
    agreement_table,
    block_table,
    given_measures,
    shape_table,
)
from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.sweep_settings import ProfileFacts
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--profile")
script.input("--sweep")
script.input("--sensitivity", optional=True)
script.settings("--facts", ProfileFacts)
for name in ("blocks", "agreement", "shape"):
    script.output(f"--{name}")


def main(args: argparse.Namespace) -> None:
    profile = read_rows(args.profile)
    sensitivity = read_rows(args.sensitivity) if args.sensitivity else []
    given = given_measures(sensitivity, args.facts.condition)
    blocks = block_table(profile, args.facts, read_rows(args.sweep), given)
    write_csv(args.blocks, blocks)
    write_csv(args.agreement, agreement_table(blocks, args.facts))
    write_csv(args.shape, shape_table(profile, args.facts))


if __name__ == "__main__":
    script.run(main)
