"""Write ANALYSIS.md from the tables of an experiment."""

import argparse

from goodhart_gap.analysis.analysis_document import declare_inputs, read_context
from goodhart_gap.analysis.documents import write_document
from goodhart_gap.script import Script

script = Script(__doc__)
declare_inputs(script)
script.output("--document")


def main(args: argparse.Namespace) -> None:
    write_document(args.document, "ANALYSIS.md.jinja", read_context(args))


if __name__ == "__main__":
    script.run(main)
