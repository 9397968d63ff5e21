"""Write ABLATION.md or BITS.md, and draw its figure."""

import argparse

from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.documents import write_document
from goodhart_gap.analysis.figures.ablation import draw_ablation
from goodhart_gap.analysis.figures.bits import draw_bits
from goodhart_gap.analysis.figures.style import save_svg
from goodhart_gap.analysis.pages import write_page
from goodhart_gap.analysis.sweep_documents import ablation_context, bits_context
from goodhart_gap.analysis.sweep_settings import SweepFacts
from goodhart_gap.script import Script

KINDS = {
    "ablation": (ablation_context, draw_ablation, "ABLATION.md.jinja"),
    "bits": (bits_context, draw_bits, "BITS.md.jinja"),
}
TABLES = ("sweep", "answers", "budget", "controls", "reuse", "by-task", "quadrants")

SPANS = ("protected_blocks", "best_protected_blocks")
"""Columns that look like numbers where a span is one block."""

script = Script(__doc__)
script.value("--kind")
for table in TABLES:
    script.input(f"--{table}")
script.input("--published-rates", optional=True)
script.input("--published-comparisons", optional=True)
script.settings("--facts", SweepFacts)
script.output("--figure")
script.output("--document")
script.output("--page")


def main(args: argparse.Namespace) -> None:
    context, draw, template = KINDS[args.kind]
    names = [name.replace("-", "_") for name in TABLES]
    tables = {name: read_rows(getattr(args, name), text=SPANS) for name in names}
    published = {
        name: read_rows(path)
        for name, path in (
            ("rates", args.published_rates),
            ("comparisons", args.published_comparisons),
        )
        if path
    }
    save_svg(draw(tables["sweep"]), args.figure)
    text = write_document(args.document, template, context(args.facts, tables, published))
    write_page(args.page, text, {f"figures/{args.kind}.svg": args.figure})


if __name__ == "__main__":
    script.run(main)
