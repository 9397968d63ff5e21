"""Write the manuscript of an experiment as PDF."""

import argparse

from goodhart_gap.analysis.analysis_document import declare_inputs, read_context
from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.paper_document import compile_paper, paper_context, render_paper
from goodhart_gap.script import Script

script = Script(__doc__)
declare_inputs(script)
for table in ("audit", "totals", "headline"):
    script.input(f"--{table}", optional=True)
script.output("--document")


def main(args: argparse.Namespace) -> None:
    audit = read_rows(args.audit, text=("stated", "recomputed")) if args.audit else []
    totals = read_rows(args.totals) if args.totals else []
    headline = read_rows(args.headline) if args.headline else []
    context = paper_context(read_context(args), audit, totals, headline)
    compile_paper(render_paper(context), args.figures, args.document)


if __name__ == "__main__":
    script.run(main)
