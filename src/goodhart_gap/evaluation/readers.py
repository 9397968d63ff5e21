"""Reading a typed value from the words that commit a response to it.

value, right = READERS[answer.kind](answer, commitment)     # None where no value could be read
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from goodhart_gap.evaluation.commitment import Commitment
from goodhart_gap.evaluation.quantities import (
    Found,
    clock_times,
    converted,
    durations,
    quantities,
    readable,
)
from goodhart_gap.evaluation.tasks import (
    ChoiceAnswer,
    DurationAnswer,
    NumberAnswer,
    OrderingAnswer,
    SetAnswer,
    TimeAnswer,
)

_NEGATED = re.compile(
    r"(?:\b(?:not|never|neither|nor|cannot|isn't|wasn't|aren't|instead of|rather than|no longer)\b"
    r"(?:\s+(?:be|equal|to|simply|just|at|exactly|the|a|is|on|in))*\s*[$€£]?)$",
    re.IGNORECASE,
)
_COPULA = re.compile(
    r"=|:(?!\d)|\b(?:is|are|was|were|be|equals?|becomes?|costs?|pays?|gets?|needs?|makes?|"
    r"takes?|lasts?|ends?|leaves?|leave|totals?|gives?|have|has|had|at|by)\b",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(r"^[^\w]*(?:or|/|either)[^\w]*$", re.IGNORECASE)
_EITHER = re.compile(r"\bor\b", re.IGNORECASE)

Reading = tuple[str, bool] | None
"""The value that was read, and whether it is correct; None where no value could be read."""


def _read_number(answer: Any, commitment: Commitment) -> Reading:
    assert isinstance(answer, NumberAnswer)
    text = readable(commitment.text)
    found = _chosen(quantities(text), text, commitment.explicit)
    if found is None:
        return None
    value: float | None = found.value
    if found.unit is not None and answer.unit is not None:
        value = converted(found.value, found.unit, answer.unit)
    return found.text, value is not None and abs(value - answer.value) <= answer.tolerance


def _read_time(answer: Any, commitment: Commitment) -> Reading:
    assert isinstance(answer, TimeAnswer)
    text = readable(commitment.text)
    found = _chosen(clock_times(text), text, commitment.explicit)
    if found is None or found.unit == "ambiguous":
        return None
    (expected,) = clock_times(answer.value)
    return found.text, found.value == expected.value


def _read_duration(answer: Any, commitment: Commitment) -> Reading:
    assert isinstance(answer, DurationAnswer)
    text = readable(commitment.text)
    lengths = durations(text)
    if answer.unit is not None:
        per_unit = {"minute": 1.0, "hour": 60.0, "day": 1440.0}[answer.unit]
        lengths += [
            Found(each.value * per_unit, "minute", each.start, each.end, each.text)
            for each in quantities(text)
            if each.unit is None
            and not any(length.start <= each.start < length.end for length in lengths)
        ]
    found = _chosen(sorted(lengths, key=lambda each: each.start), text, commitment.explicit)
    if found is None:
        return None
    return found.text, abs(found.value - answer.minutes) < 0.01


def _read_ordering(answer: Any, commitment: Commitment) -> Reading:
    assert isinstance(answer, OrderingAnswer)
    text = commitment.text
    if any(item.lower() not in text.lower() for item in answer.items):
        text = commitment.rest
    mentions = _mentions(answer.items, text)
    if mentions and _NEGATED.search(text[: mentions[0][1]].rstrip(" :,")):
        return None
    names = [
        name
        for place, (name, _) in enumerate(mentions)
        if place == 0 or mentions[place - 1][0] != name
    ]
    count = len(answer.items)
    windows = [
        names[start : start + count]
        for start in range(len(names) - count + 1)
        if len(set(names[start : start + count])) == count
    ]
    disagree = len(set(map(tuple, windows))) > 1
    if not windows or (disagree and (not commitment.explicit or _EITHER.search(text))):
        return None
    order = windows[0]
    between = text[mentions[0][1] : mentions[-1][1]]
    if "<" in between and ">" not in between:
        order = order[::-1]
    return ", ".join(order), tuple(order) == answer.items


def _read_set(answer: Any, commitment: Commitment) -> Reading:
    assert isinstance(answer, SetAnswer)
    text = commitment.text
    braces = re.findall(r"\{([^{}]*)\}", text)
    numeric = all(re.fullmatch(r"-?\d+(\.\d+)?", item) for item in answer.items)
    if braces:
        text = braces[-1]
    elif not commitment.explicit or re.search(r"\b(?:is|are)\b", text):
        parts = [m.end() for m in re.finditer(r"\b(?:is|are)\b|:", text)]
        tails = [text[end:] for end in parts if re.search(r"\d" if numeric else r"\w", text[end:])]
        text = tails[-1] if tails else text
    if numeric:
        found = re.finditer(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)", text)
        names = [m[0] for m in found if not _NEGATED.search(text[: m.start()])]
    else:
        named = _mentions(answer.universe or answer.items, text)
        names = [name for name, start in named if not _NEGATED.search(text[:start])]
    if not names or (len(names) > 1 and _EITHER.search(text)):
        return None
    members = list(dict.fromkeys(names))
    return "{" + ", ".join(members) + "}", set(members) == set(answer.items)


def _read_choice(answer: Any, commitment: Commitment) -> Reading:
    assert isinstance(answer, ChoiceAnswer)
    text = commitment.text
    mentions = _mentions(answer.options, text)
    standing = [(name, at) for name, at in mentions if not _NEGATED.search(text[:at])]
    denied = {
        name
        for name, at in mentions
        if re.match(r"\S+\s+(?:is|was|does|did|can)(?:\s*n't|\s+not|not)\b", text[at:])
    }
    standing = [(name, at) for name, at in standing if name not in denied]
    names = list(dict.fromkeys(name for name, _ in standing))
    if not names or re.match(r"\S+\s+or\b", text[standing[0][1] :]):
        return None
    if len(names) > 1:
        first, second = standing[0], next(each for each in standing if each[0] != standing[0][0])
        if _ALTERNATIVE.match(text[first[1] + len(first[0]) : second[1]]):
            return None
        after = re.search(
            r"\b(?:is|was)\s+(?:now\s+)?(" + "|".join(map(re.escape, names)) + r")\b", text
        )
        if after:
            return after[1], after[1] == answer.value
        if not commitment.explicit and not re.match(
            r"\W*(?:\w+\s*,\s*)?" + re.escape(first[0]), text
        ):
            return None
    return names[0], names[0] == answer.value


def _chosen(found: Sequence[Found], text: str, explicit: bool) -> Found | None:
    """Return the value a sentence commits to, or None where it names none or hesitates.

    After a marker it is the first, unless a computation or a range leads up to it; in a sentence it
    is the one after the last verb of being, having or ending.
    """
    standing = [each for each in found if not _NEGATED.search(text[: each.start])]
    ranges = [
        first
        for first, second in pairwise(standing)
        if re.fullmatch(r"\s*(?:to|until|till)\s*[$€£]?", text[first.end : second.start])
    ]
    standing = [each for each in standing if each not in ranges]
    last = text.rfind("=")
    equated = last >= 0 and any(each.start > last for each in standing)
    if equated:
        # What leads up to the sign is a computation, no alternative.
        standing = [each for each in standing if each.start > last]
    if not standing:
        return None
    for first, second in pairwise(standing):
        if _ALTERNATIVE.match(text[first.end : second.start]) and first.value != second.value:
            return None
    if re.match(r"\s*or\b", text[standing[0].end :], re.IGNORECASE):
        return None
    if equated:
        return standing[0]
    if explicit:
        leads = standing[0]
        for following in standing[1:]:
            between = text[leads.end : following.start]
            if re.fullmatch(r"\s*[-+*/]\s*", between):
                leads = following
            else:
                break
        before = text[: leads.start]
        if _COPULA.search(text[leads.end :]) and re.search(
            r"\b(?:if|from|after|with|when)\b", before
        ):
            return _after_copula(standing, text)
        return leads
    return _after_copula(standing, text)


def _after_copula(standing: Sequence[Found], text: str) -> Found | None:
    ends = [match.end() for match in _COPULA.finditer(text)]
    for end in reversed(ends):
        after = [each for each in standing if each.start >= end - 1]
        if after:
            return after[0]
    # Several values without a verb are a list, not a statement.
    return standing[0] if len({each.value for each in standing}) == 1 else None


def _mentions(names: Sequence[str], text: str) -> list[tuple[str, int]]:
    """Return each mention of a name and where it starts, in order."""
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    canonical = {name.lower(): name for name in names}
    return [
        (canonical[m[0].lower()], m.start())
        for m in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE)
    ]


READERS: dict[str, Callable[[Any, Commitment], Reading]] = {
    "number": _read_number,
    "time": _read_time,
    "duration": _read_duration,
    "ordering": _read_ordering,
    "set": _read_set,
    "choice": _read_choice,
}
