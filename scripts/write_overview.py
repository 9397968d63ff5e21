"""Write the overview of all experiments: what ran, at what cost, what came out, what to read."""

import argparse

from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.documents import write_document
from goodhart_gap.analysis.overview_document import overview_context
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--runs")
script.input("--rates", many=True)
script.input("--comparisons", many=True)
script.output("--document")


def main(args: argparse.Namespace) -> None:
    rates, comparisons = (
        {path.parent.parent.name: read_rows(path) for path in paths}
        for paths in (args.rates, args.comparisons)
    )
    runs = read_rows(args.runs, text=("first", "last", "documents"))
    write_document(args.document, "OVERVIEW.md.jinja", overview_context(runs, rates, comparisons))


if __name__ == "__main__":
    script.run(main)
