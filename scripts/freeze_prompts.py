"""Freeze what a task set asks: one line a task and role. Rubrics are left out, so that a changed
rubric changes nothing here and resamples nothing."""

import argparse

from goodhart_gap.evaluation.task_sets import read_task_set
from goodhart_gap.evaluation.tasks import prompt_rows
from goodhart_gap.files import write_jsonl
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--task-set")
script.output("--prompts")
script.value("--digest")  # of what is asked: named so that the manifest records it


def main(args: argparse.Namespace) -> None:
    write_jsonl(args.prompts, prompt_rows(read_task_set(args.task_set)))


if __name__ == "__main__":
    script.run(main)
