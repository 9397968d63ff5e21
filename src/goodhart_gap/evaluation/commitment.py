"""Where a response commits itself: the words that state its final answer.

An explicit commitment is a marked one (`Answer: 15`, `the final answer is 15`, `\\boxed{15}`).
Where there is none, the last concluding sentence counts, but only in a response that was not cut
off: what a cut response would have concluded is unknown.
"""

import re
from dataclasses import dataclass

from goodhart_gap.evaluation.text import clean

_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
_MARKER = re.compile(
    r"(?:\b(?:(?:the|my|your|our)\s+)?(?:final\s+|correct\s+)?answer\b[^\S\n]*"
    r"(?:[:=]|(?:is|would\s+be|must\s+be)\b[^\S\n]*:?)|####)",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"\b(?:therefore|thus|hence|so|finally|in total|in conclusion|altogether|overall|result)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(
    r"(?<=[^\d\W][.!?])\s+|(?<=\d[.!?])\s+(?=[A-Z\n])|(?<=[)\]%$!?])\s+(?=[A-Z])|\n+"
)
_HEDGED = re.compile(
    r"\b(?:i\s+(?:can\s?not|can't|am\s+(?:not\s+able|unable|sorry)|do\s+not\s+know|don't\s+know)"
    r"|i'm\s+(?:sorry|not\s+able|unable)|as\s+an\s+ai\b|unable\s+to\s+(?:answer|determine|help)"
    r"|can\s?(?:not|'t)\s+(?:be\s+)?(?:determined?|answer(?:ed)?|say|help|decided?|known|told"
    r"|inferred|established)"
    r"|impossible\s+to\s+(?:say|determine|know|tell)|not\s+possible\s+to\s+(?:say|determine|tell)"
    r"|not\s+enough\s+information|insufficient\s+information"
    r"|(?:does|do)\s+not\s+(?:allow|provide|give)\s+(?:\w+\s+){0,6}?(?:answer|determination|information)"
    r"|not\s+(?:definitively|clearly)\s+\w+|no\s+(?:definitive|clear)\s+answer)",
    re.IGNORECASE,
)

_REMARK = re.compile(
    r"(?:correct|right|wrong|incorrect|reasonable|consistent|valid|clear|simple|confirmed|verified"
    r"|found|obtained|based|because|since|therefore|the\s+same)\b",
    re.IGNORECASE,
)
_CORRECTS = re.compile(
    r"(?:^|(?<=[.!?)}$\n])\s*[-*>]*\s*|[-,;(]\s*(?=(?:no\b\W*)?wait\b))"
    r"(?:(?:but|oh|oops|sorry|hm+)\b\W*)*"
    r"(?:wait\b(?!\s+(?:\d|for|until|till|at|time))|actually\b|correction\b|hold\s+on\b|no,"
    r"|no\W+wait\b|on\s+(?:second\s+thoughts?|reflection)\b|scratch\s+that\b)",
    re.IGNORECASE,
)
_TAKES_BACK = re.compile(
    r"\b(?:that|this|it|which|my\s+(?:first\s+)?answer)(?:'s|\s+(?:is|was))\s+"
    r"(?:wrong|incorrect|a\s+mistake|not\s+(?:right|correct))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Commitment:
    """The words that state an answer."""

    text: str
    rest: str
    explicit: bool


def commitments(text: str, truncated: bool) -> list[Commitment]:
    """Return what may state the final answer of `text`, the most binding first.

    `text` of a commitment is a sentence or line; `rest` is that and everything after it. Of several
    marked or boxed answers the last one stands, and where the words after it take it back, they
    are what is left to state another.
    """
    cleaned = clean(text)
    stated = sorted([*_boxed(cleaned), *_marked(cleaned)], key=lambda each: each[0])
    if stated:
        _, end, last = stated[-1]
        correction = _correction(cleaned, end)
        if correction is None:
            return [last]
        return [] if truncated else _concluding(correction)
    if truncated:
        return []
    correction = _correction(cleaned, 0)
    return _concluding(cleaned if correction is None else correction)


def is_refusal(text: str) -> bool:
    """Whether `text` declines to answer, or says that no answer can be given."""
    return _HEDGED.search(clean(text)) is not None


Stated = tuple[int, int, Commitment]
"""An explicit commitment: where it starts, where a correction of it may start, and itself."""


def _boxed(text: str) -> list[Stated]:
    return [
        (box.start(), box.end(), Commitment(box[1], box[1], explicit=True))
        for box in _BOXED.finditer(text)
    ]


def _marked(text: str) -> list[Stated]:
    """Return the marked answers; a remark on an answer (`the answer is correct`) only if alone."""
    found = [
        (marker.end(), marker.end(), stated)
        for marker in _MARKER.finditer(text)
        if (stated := _after(text, marker.end()))
    ]
    remarks = [each for each in found if _REMARK.match(each[2].text)]
    alone = len(remarks) == len(found) and not _BOXED.search(text)
    return found if alone else [each for each in found if each not in remarks]


def _correction(text: str, start: int) -> str | None:
    """Return what follows the last words that take back what stands before, if there are any."""
    corrections = list(_CORRECTS.finditer(text, start))
    if not corrections:
        return None
    # What was wrong is the answer before; the clause must not disown the new one.
    return _TAKES_BACK.sub("", text[corrections[-1].end() :]).lstrip(" ,.:;-")


def _concluding(text: str) -> list[Commitment]:
    """Return the sentences that may conclude: the last one, those that say so, then the others."""
    parts = [part.strip() for part in _SENTENCE.split(text) if part.strip()]
    concluding = [part for part in parts if _CONCLUDES.search(part)]
    ordered = [*reversed(parts[-1:]), *reversed(concluding), *reversed(parts[:-1])]
    unique = list(dict.fromkeys(ordered))
    return [Commitment(part, part, explicit=False) for part in unique]


def _after(text: str, start: int) -> Commitment | None:
    """Return what stands after a marker: the rest of its line, or the next line that has any."""
    rest = text[start:].lstrip(" \t*:\n")
    if not re.search(r"\w", rest):
        return None
    line = rest.splitlines()[0]
    sentence = _SENTENCE.split(line)[0].strip()
    return Commitment(sentence, rest, explicit=True)
