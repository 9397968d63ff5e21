"""Write ANALYSIS.md from the tables of an experiment, and the same as a page."""

import argparse

from goodhart_gap.analysis.analysis_document import declare_inputs, read_context
from goodhart_gap.analysis.documents import write_document
from goodhart_gap.analysis.pages import write_page
from goodhart_gap.script import Script

script = Script(__doc__)
declare_inputs(script)
script.output("--document")
script.output("--page")


def main(args: argparse.Namespace) -> None:
    text = write_document(args.document, "ANALYSIS.md.jinja", read_context(args))
    write_page(args.page, text, {f"figures/{path.name}": path for path in args.figures})


if __name__ == "__main__":
    script.run(main)
