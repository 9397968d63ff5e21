"""Make a facts table from published result files, once; the table stays in the project.

    python scripts/import_record.py --source ../shared/published/n100 \
        --conditions baseline uniform selective --tasks config/tasks/original-20.yaml \
        --record config/records/published-n100.csv

`--source` is a folder or an `s3://bucket/prefix`; a condition is read from `{condition}.json`
there, or from another file with `condition=file`.
"""

import argparse
import importlib
from pathlib import Path

from goodhart_gap.analysis.records import facts_from_published, read_task_values, write_facts
from goodhart_gap.errors import GoodhartError
from goodhart_gap.script import Script

script = Script(__doc__)
script.value("--source")
script.input("--tasks")
script.output("--record")
script.parser.add_argument("--conditions", nargs="+", required=True)


def main(args: argparse.Namespace) -> None:
    tasks = read_task_values(args.tasks)
    facts = []
    for named in args.conditions:
        condition, _, file = named.partition("=")
        file = file or f"{condition}.json"
        facts += facts_from_published(read_source(args.source, file), condition, tasks, file)
    write_facts(args.record, facts)


def read_source(source: str, file: str) -> str:
    """Read a file of a folder or of an S3 prefix as text."""
    if not source.startswith("s3://"):
        path = Path(source) / file
        if not path.is_file():
            raise GoodhartError(f"{path}: there is no such file; correct --source or --conditions.")
        return path.read_text(encoding="utf-8")
    try:
        boto3 = importlib.import_module("boto3")
    except ImportError:
        raise GoodhartError(
            f"{source}: reading from S3 needs boto3; install it, or give a folder with the files."
        ) from None
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    key = f"{prefix.rstrip('/')}/{file}".lstrip("/")
    try:
        body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except Exception as error:
        raise GoodhartError(
            f"s3://{bucket}/{key}: cannot be read ({error}); check name and rights."
        ) from error
    return str(body.decode("utf-8"))


if __name__ == "__main__":
    script.run(main)
