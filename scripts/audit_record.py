"""Recompute every stated figure of the published experiments, and count grader artefacts."""

import argparse

from goodhart_gap.analysis.artefacts import artefact_table, headline_table, never_explained_table
from goodhart_gap.analysis.audit import audit_table, read_stated, total_table
from goodhart_gap.analysis.csv_tables import write_csv
from goodhart_gap.analysis.outcomes import read_outcome_table
from goodhart_gap.analysis.settings import AuditDesigns, AuditStatistics
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--stated")
script.input("--tables", many=True)
script.settings("--designs", AuditDesigns)
script.settings("--statistics", AuditStatistics)
for name in ("audit", "totals", "artefacts", "never-explained", "headline"):
    script.output(f"--{name}")


def main(args: argparse.Namespace) -> None:
    tables = [read_outcome_table(path) for path in args.tables]
    outcomes = {str(table["experiment"].iloc[0]): table for table in tables}
    designs, settings = args.designs.experiments, args.statistics.experiments
    audit = audit_table(read_stated(args.stated), outcomes, designs, settings)
    write_csv(args.audit, audit)
    write_csv(args.totals, total_table(audit))
    write_csv(args.artefacts, artefact_table(outcomes, designs))
    write_csv(args.never_explained, never_explained_table(outcomes))
    write_csv(args.headline, headline_table(outcomes, designs, settings))


if __name__ == "__main__":
    script.run(main)
