"""Write QUADRANTS.md: the quadrants of every task, and which tasks moved."""

import argparse

from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.documents import write_document
from goodhart_gap.analysis.pages import write_page
from goodhart_gap.analysis.quadrant_document import quadrant_context
from goodhart_gap.analysis.settings import ExperimentFacts
from goodhart_gap.script import Script

script = Script(__doc__)
for table in ("by-task", "moves", "flips"):
    script.input(f"--{table}")
script.settings("--facts", ExperimentFacts)
script.output("--document")
script.output("--page")


def main(args: argparse.Namespace) -> None:
    context = quadrant_context(
        read_rows(args.by_task), read_rows(args.moves), read_rows(args.flips), args.facts
    )
    text = write_document(args.document, "QUADRANTS.md.jinja", context)
    write_page(args.page, text, {})


if __name__ == "__main__":
    script.run(main)
