"""Write AUDIT.md: the published figures recomputed, and what the graders did."""

import argparse

from goodhart_gap.analysis.audit_document import audit_context
from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.documents import write_document
from goodhart_gap.analysis.pages import write_page
from goodhart_gap.analysis.settings import AuditDesigns
from goodhart_gap.script import Script

script = Script(__doc__)
for table in ("audit", "totals", "artefacts", "never-explained", "headline"):
    script.input(f"--{table}")
script.settings("--designs", AuditDesigns)
script.value("--stated-file")
script.output("--document")
script.output("--page")


def main(args: argparse.Namespace) -> None:
    context = audit_context(
        read_rows(args.audit, text=("stated", "recomputed")),
        read_rows(args.totals),
        read_rows(args.artefacts),
        read_rows(args.headline),
        read_rows(args.never_explained),
        args.designs,
        args.stated_file,
    )
    text = write_document(args.document, "AUDIT.md.jinja", context)
    write_page(args.page, text, {})


if __name__ == "__main__":
    script.run(main)
