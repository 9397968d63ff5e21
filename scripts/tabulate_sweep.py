"""Put what a sweep's conditions cost and change into one table, with answers and controls."""

import argparse
import logging

import pandas as pd

from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.outcomes import read_outcome_table
from goodhart_gap.analysis.sweep_answers import answer_table, budget_table
from goodhart_gap.analysis.sweep_settings import SweepFacts
from goodhart_gap.analysis.sweeps import control_table, reuse_table, sweep_table
from goodhart_gap.files import read_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--table")
script.input("--comparisons")
script.input("--flips")
script.input("--rates")
script.input("--configs", many=True, optional=True)
script.input("--divergences", many=True, optional=True)
script.input("--allocations", many=True, optional=True)
script.settings("--facts", SweepFacts)
for name in ("sweep", "answers", "budget", "controls", "reuse"):
    script.output(f"--{name}")


def main(args: argparse.Namespace) -> None:
    facts: SweepFacts = args.facts
    bits = {
        path.parent.name: read_json(path)["quantization_config"]["bits_per_parameter"]
        for path in args.configs or []
    }
    divergences = {path.parent.name: read_rows(path) for path in args.divergences or []}
    tables = [read_rows(path) for path in (args.comparisons, args.flips, args.rates)]
    sweep = sweep_table(facts, bits, divergences, *tables)
    write_csv(args.sweep, sweep)
    write_csv(args.answers, answer_table(facts, sweep, divergences))
    write_csv(args.budget, budget_table(facts, sweep, divergences))
    write_csv(args.controls, control_table(facts, read_outcome_table(args.table)))
    reuse = reuse_table({path.parent.name: read_json(path) for path in args.allocations or []})
    write_csv(args.reuse, reuse)
    log_reuse(facts, reuse)


def log_reuse(facts: SweepFacts, reuse: pd.DataFrame) -> None:
    """Say on how many compressed matrices all conditions rest, and how many they reuse."""
    total = reuse.iloc[-1]
    logging.getLogger(__name__).info(
        "%s: rests on %d compressed matrices; %d taken from them again, %d left as they are",
        facts.experiment,
        total["compressed"],
        total["reused"],
        total["kept"],
    )


if __name__ == "__main__":
    script.run(main)
