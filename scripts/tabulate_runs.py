"""List every experiment under a folder of results: what ran, when, at what cost."""

import argparse
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from goodhart_gap.analysis.csv_tables import write_csv
from goodhart_gap.analysis.outcomes import read_outcome_table
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.costs import cost_of
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--outcomes", many=True)
script.value("--results")
script.output("--runs")


def main(args: argparse.Namespace) -> None:

    chain = read_chain(Path(args.results), empty=True)
    rows = []
    for path in sorted(args.outcomes):
        outcomes = read_outcome_table(path)
        folder = path.parent.parent
        made = [
            chain.logical(each)
            for pattern in ("*.md", "tables/*.csv")
            for each in sorted(folder.glob(pattern))
            if chain.entries and chain.logical(each) in chain.entries
        ]
        sampled = any((folder / "responses").rglob("*.jsonl"))
        rows.append(
            {
                "experiment": folder.name,
                "source": "sampled here" if sampled else "record",
                "model": outcomes.iloc[0]["model"],
                "conditions": outcomes["condition"].nunique(),
                "tasks": outcomes["task"].nunique(),
                "runs": len(outcomes[["seed", "run"]].drop_duplicates()),
                "evaluations": len(outcomes),
                **asdict(cost_of(chain, made)),
                "documents": " ".join(each.name for each in sorted(folder.glob("*.md"))),
            }
        )
    write_csv(args.runs, pd.DataFrame(rows))


if __name__ == "__main__":
    script.run(main)
