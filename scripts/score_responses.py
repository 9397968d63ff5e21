"""Score one run: read the chunk of responses that holds it, grade both roles of every task."""

import argparse

from goodhart_gap.evaluation.grading import score_run
from goodhart_gap.evaluation.grading_settings import GradingSettings
from goodhart_gap.evaluation.tasks import read_frozen
from goodhart_gap.evaluation.verdicts import by_text
from goodhart_gap.files import read_jsonl, write_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--responses")
script.input("--tasks")
script.input("--verdicts", optional=True)
script.output("--outcomes")
script.value("--run", int)
script.settings("--grading", GradingSettings)


def main(args: argparse.Namespace) -> None:
    tasks = read_frozen(args.tasks)
    responses = read_jsonl(args.responses)
    verdicts = by_text(read_jsonl(args.verdicts)) if args.verdicts else {}
    write_json(args.outcomes, score_run(responses, tasks, args.run, args.grading, verdicts))


if __name__ == "__main__":
    script.run(main)
