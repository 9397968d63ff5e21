"""Grading an answer: the value a response commits itself to, compared by its type."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from goodhart_gap.evaluation.commitment import Commitment, commitments, is_refusal
from goodhart_gap.evaluation.readers import READERS
from goodhart_gap.evaluation.tasks import (
    Answer,
    DurationAnswer,
    NumberAnswer,
    OrderingAnswer,
    SetAnswer,
)

Status = Literal["correct", "wrong", "unparsed", "truncated", "refused"]

_DISOWNED = re.compile(
    r"\b(?:is|are|would be)\s+(?:wrong|incorrect|false|not\s+(?:right|correct))\b"
)


@dataclass(frozen=True)
class Grade:
    """What was read from a response, and what it is worth."""

    status: Status
    value: str | None
    expected: str

    def record(self) -> dict[str, Any]:
        """Return the `answer` object of an outcome."""
        return {"status": self.status, "value": self.value, "expected": self.expected}


def grade_answer(answer: Answer, text: str, truncated: bool) -> Grade:
    """Grade `text` against `answer`. Empty text, refusals and ambiguous answers are not correct."""
    expected = shown(answer)
    if not text.strip():
        return Grade("truncated" if truncated else "unparsed", None, expected)
    for commitment in commitments(text, truncated):
        if _DISOWNED.search(commitment.text) or _is_list(answer, commitment):
            continue
        reading = READERS[answer.kind](answer, commitment)
        if reading is None:
            if commitment.explicit:
                break
            continue
        if not commitment.explicit and is_refusal(text):
            break
        value, right = reading
        return Grade("correct" if right else "wrong", value, expected)
    if is_refusal(text):
        return Grade("refused", None, expected)
    return Grade("truncated" if truncated else "unparsed", None, expected)


def shown(answer: Answer) -> str:
    """Return the correct answer as tables show it."""
    match answer:
        case NumberAnswer():
            number = f"{answer.value:.10g}"
            return number if answer.unit is None else f"{number} {answer.unit}"
        case DurationAnswer():
            return f"{answer.minutes:.10g} minutes"
        case OrderingAnswer():
            return ", ".join(answer.items)
        case SetAnswer():
            return "{" + ", ".join(answer.items) + "}"
        case _:
            return answer.value


def _is_list(answer: Answer, commitment: Commitment) -> bool:
    """Whether several values are listed where one is asked for, and none is marked."""
    if commitment.explicit or isinstance(answer, OrderingAnswer):
        return False
    items = [item.strip() for item in commitment.text.rstrip(".").split(",")]
    if isinstance(answer, SetAnswer):
        return len(set(items)) < len(items)
    return len(items) > 2 and all(1 <= len(item.split()) <= 4 for item in items)
