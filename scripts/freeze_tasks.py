"""Freeze a task set: one task a line, each with its own hash."""

import argparse

from goodhart_gap.evaluation.task_sets import read_task_set
from goodhart_gap.evaluation.tasks import frozen_rows
from goodhart_gap.files import write_jsonl
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--task-set")
script.output("--tasks")


def main(args: argparse.Namespace) -> None:
    write_jsonl(args.tasks, frozen_rows(read_task_set(args.task_set)))


if __name__ == "__main__":
    script.run(main)
