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
    r"|can\s?(?:not|'t)\s+(?:be\s+)?(?:determined?|answer(?:ed)?|say|help|decided?)"
    r"|impossible\s+to\s+(?:say|determine|know|tell)|not\s+possible\s+to\s+(?:say|determine|tell)"
    r"|not\s+enough\s+information|insufficient\s+information"
    r"|(?:does|do)\s+not\s+(?:allow|provide|give)\s+(?:\w+\s+){0,6}?(?:answer|determination|information)"
    r"|not\s+(?:definitively|clearly)\s+\w+|no\s+(?:definitive|clear)\s+answer)",
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

    `text` of a commitment is a sentence or line; `rest` is that and everything after it.
    """
    boxed = _BOXED.findall(text)
    if boxed:
        return [Commitment(clean(boxed[-1]), clean(boxed[-1]), explicit=True)]
    cleaned = clean(text)
    marked = [
        found
        for found in (_after(cleaned, marker.end()) for marker in _MARKER.finditer(cleaned))
        if found
    ]
    if marked:
        return [marked[-1]]
    if truncated:
        return []
    parts = [part.strip() for part in _SENTENCE.split(cleaned) if part.strip()]
    concluding = [part for part in parts if _CONCLUDES.search(part)]
    ordered = [*reversed(parts[-1:]), *reversed(concluding), *reversed(parts[:-1])]
    unique = list(dict.fromkeys(ordered))
    return [Commitment(part, part, explicit=False) for part in unique]


def is_refusal(text: str) -> bool:
    """Whether `text` declines to answer, or says that no answer can be given."""
    return _HEDGED.search(clean(text)) is not None


def _after(text: str, start: int) -> Commitment | None:
    """Return what stands after a marker: the rest of its line, or the next line that has any."""
    rest = text[start:].lstrip(" \t*:\n")
    if not re.search(r"\w", rest):
        return None
    line = rest.splitlines()[0]
    sentence = _SENTENCE.split(line)[0].strip()
    return Commitment(sentence, rest, explicit=True)
