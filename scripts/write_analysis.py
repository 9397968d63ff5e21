"""Write ANALYSIS.md from the tables of an experiment."""

import argparse

from goodhart_gap.analysis.analysis_document import TABLES, analysis_context, count_parameters
from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.documents import write_document
from goodhart_gap.analysis.settings import ExperimentFacts, StatisticsSettings
from goodhart_gap.script import Script

script = Script(__doc__)
for table in TABLES:
    script.input(f"--{table.replace('_', '-')}")
script.input("--figures", many=True)
script.input("--fingerprint", optional=True)
script.input("--pilot", optional=True)
script.input("--graders", optional=True)
script.settings("--facts", ExperimentFacts)
script.settings("--statistics", StatisticsSettings)
script.output("--document")


def main(args: argparse.Namespace) -> None:
    tables = {table: read_rows(getattr(args, table)) for table in TABLES}
    context = analysis_context(
        tables,
        args.facts,
        args.statistics,
        parameters=count_parameters(args.fingerprint),
        pilot=read_rows(args.pilot) if args.pilot else [],
        graders=read_rows(args.graders) if args.graders else [],
    )
    write_document(args.document, "ANALYSIS.md.jinja", context)


if __name__ == "__main__":
    script.run(main)
