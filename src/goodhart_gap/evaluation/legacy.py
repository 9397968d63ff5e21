"""The original experiment's rules, restated for comparison only. They are known to be wrong.

Execution: a number or a time is taken where it first occurs, else the whole text, and text passes
when it contains the correct answer or is contained in it, so that an empty text passes. This
reproduces every outcome of the published record whose extracted answer was kept whole; see the
tests. Explanation: half of a list of words must occur. The original lists are not part of the
record; ours hold the words its documents name, so only the kind of rule is the original's.
"""

import re

from goodhart_gap.evaluation.answers import shown
from goodhart_gap.evaluation.tasks import (
    Answer,
    DurationAnswer,
    NumberAnswer,
    SetAnswer,
    Task,
    TimeAnswer,
)

KEPT_TOKENS = 128
"""The original let an explanation have this many tokens and did not mark the cut."""


def extract(answer: Answer, text: str) -> str:
    """Return what the original took for the answer."""
    if isinstance(answer, TimeAnswer):
        match = re.search(r"\d{1,2}:\d{2}\s*(?:AM|PM)", text, re.IGNORECASE)
    elif isinstance(answer, NumberAnswer | DurationAnswer | SetAnswer):
        match = re.search(r"\d+(?:\.\d+)?", text.replace(",", ""))
    else:
        match = None
    return match[0] if match else text.strip()


def passes(extracted: str, correct: str) -> bool:
    """Whether the original counted `extracted` as correct."""
    try:
        return abs(float(extracted) - float(correct)) < 0.01
    except ValueError:
        ours, theirs = extracted.lower(), correct.lower()
        return ours in theirs or theirs in ours


def executes(task: Task, text: str) -> bool:
    """Grade an answer by the original's rules."""
    return passes(extract(task.answer, text), correct_text(task.answer))


def understands(task: Task, text: str) -> bool:
    """Grade an explanation by the original's kind of rule: half of the key words occur."""
    lower = text.lower()
    present = sum(word.lower() in lower for word in task.legacy_keywords)
    return bool(task.legacy_keywords) and 2 * present >= len(task.legacy_keywords)


def correct_text(answer: Answer) -> str:
    """Return the correct answer as the original wrote it down."""
    match answer:
        case NumberAnswer():
            return f"{answer.value:.10g}"
        case DurationAnswer():
            return f"{answer.minutes:.10g}"
        case SetAnswer():
            return ", ".join(answer.items)
        case _:
            return shown(answer)
