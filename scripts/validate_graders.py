"""Validate the graders: on the acceptance suite made from the tasks, and on labelled responses."""

import argparse
import csv
from itertools import chain

from goodhart_gap.evaluation.tasks import read_frozen
from goodhart_gap.evaluation.validation import (
    gate_shortfalls,
    grade_all,
    graded_rows,
    read_gold,
)
from goodhart_gap.evaluation.verdicts import by_text
from goodhart_gap.files import read_jsonl
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--tasks")
script.input("--gold", many=True)
script.input("--verdicts", optional=True)
script.output("--graders")
script.output("--errors")

RATES = ("sensitivity", "specificity", "kappa")


def main(args: argparse.Namespace) -> None:
    tasks = read_frozen(args.tasks)
    gold = read_gold(chain.from_iterable(read_jsonl(path) for path in args.gold))
    stored = by_text(read_jsonl(args.verdicts)) if args.verdicts else None
    graded = list(grade_all(tasks, gold, stored))
    rows = graded_rows(graded)
    with args.graders.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with args.errors.open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(["grader", "set", "role", "task", "kind", "expected", "given", "text"])
        for name, where, role, verdicts in graded:
            table.writerows(
                [name, where, role, v.task, v.kind, v.expected, v.given, v.text]
                for v in verdicts
                if v.expected != v.given
            )
    print_table(rows)


def print_table(rows: list[dict[str, object]]) -> None:
    for row in rows:
        counts = (
            f"accepted {row['wrongly_accepted']} of {row['to_reject']} to reject, "
            f"rejected {row['wrongly_rejected']} of {row['to_accept']} to accept"
        )
        figures = ", ".join(
            f"{name} {row[name]} ({row[f'{name}_low']} to {row[f'{name}_high']})" for name in RATES
        )
        print(f"{row['grader']:13} {row['set']:6} {row['role']:11} {counts}; {figures}")
    for grader in dict.fromkeys(str(row["grader"]) for row in rows if row["set"] == "suite"):
        shortfalls = gate_shortfalls(rows, grader)
        print(f"gate of {grader}: {'passed' if not shortfalls else '; '.join(shortfalls)}")


if __name__ == "__main__":
    script.run(main)
