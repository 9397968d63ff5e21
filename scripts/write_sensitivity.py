"""Write SENSITIVITY.md, and draw its figure."""

import argparse

from goodhart_gap.analysis.block_profiles import LABELS
from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.documents import write_document
from goodhart_gap.analysis.figures.profile import draw_profile
from goodhart_gap.analysis.figures.style import save_svg
from goodhart_gap.analysis.pages import write_page
from goodhart_gap.analysis.sweep_documents import sensitivity_context
from goodhart_gap.analysis.sweep_settings import ProfileFacts
from goodhart_gap.script import Script

TABLES = ("blocks", "agreement", "shape", "sweep", "reuse")

script = Script(__doc__)
for table in TABLES:
    script.input(f"--{table}")
script.settings("--facts", ProfileFacts)
script.output("--figure")
script.output("--document")
script.output("--page")


def main(args: argparse.Namespace) -> None:
    tables = {name: read_rows(getattr(args, name)) for name in TABLES}
    save_svg(draw_profile(tables["blocks"], LABELS), args.figure)
    context = sensitivity_context(args.facts, tables, {})
    text = write_document(args.document, "SENSITIVITY.md.jinja", context)
    write_page(args.page, text, {"figures/profile.svg": args.figure})


if __name__ == "__main__":
    script.run(main)
