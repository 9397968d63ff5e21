"""What kind of thing a published run took for the model's answer.

The published files keep the text an extractor cut out of each response. Its class shows where a
grade rests on something that is no answer: an empty text, a refusal, working that was cut off, or
a fragment of the expected answer.
"""

import re
from collections.abc import Sequence
from datetime import datetime, time

ANSWER_CLASSES = {
    "correct": "the expected answer",
    "fragment": "a part of the expected answer",
    "operand": "a value given in the task",
    "intermediate": "the result of an earlier step",
    "wrong": "another short answer",
    "refusal": "says that no answer can be given",
    "prose": "running text without a committed answer",
    "empty": "nothing",
}
"""Every class and what was extracted."""

UNCOMMITTED = ("empty", "refusal", "prose", "fragment")
"""Classes in which no answer was committed to, so that a pass is the grader's doing."""

REFUSAL = re.compile(
    r"does not allow|not definitively|cannot be determined|can't be determined|"
    r"not possible to determine|not enough information",
    re.IGNORECASE,
)
SHORT, FIRST_LINE = 40, 20
"""A single line up to SHORT characters, or a first line up to FIRST_LINE, is a committed answer."""


def classify_answer(
    extracted: str,
    expected: str,
    operands: Sequence[str] = (),
    intermediates: Sequence[str] = (),
) -> str:
    """Return the class of an extracted text, one of `ANSWER_CLASSES`.

    >>> classify_answer("2:45 PM", "4:15 PM", operands=["2:45 PM"])
    'operand'
    >>> classify_answer("", "12 PM")
    'empty'
    """
    text = extracted.strip()
    if not text:
        return "empty"
    if REFUSAL.search(text):
        return "refusal"
    answer = _committed(text, expected)
    if answer is None:
        return "prose"
    if _same(answer, expected):
        return "correct"
    for values, name in ((intermediates, "intermediate"), (operands, "operand")):
        if any(_same(answer, value) for value in values):
            return name
    return "fragment" if _words(answer) and _words(answer) < _words(expected) else "wrong"


def _committed(text: str, expected: str) -> str | None:
    """Return the answer a text commits to: its only short line, or a very short first line."""
    first = text.splitlines()[0].strip()
    if first == text and len(text) <= SHORT:
        return text
    if len(first) <= FIRST_LINE:
        return first
    opening = first[: len(expected)]
    return opening if _same(opening, expected) else None


def _same(left: str, right: str) -> bool:
    values = (_value(left), _value(right))
    return values[0] == values[1]


def _value(text: str) -> float | time | str:
    plain = " ".join(text.strip().strip(".!,$").lower().split())
    try:
        return float(plain.replace(",", "").lstrip("$"))
    except ValueError:
        pass
    for form in ("%I:%M %p", "%I %p", "%I:%M%p", "%I%p"):
        try:
            return datetime.strptime(plain.upper(), form).time()
        except ValueError:
            continue
    return plain


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{2,}", text.lower()))
