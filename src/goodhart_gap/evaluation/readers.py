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
_LEADS_UP = re.compile(
    r"\b(?:if|from|after|with|when|for|of|on|(?<!have )(?<!has )(?<!need )(?<!needs )to)\b",
    re.IGNORECASE,
)
_EXPLAINS = re.compile(r"\(|\b(?:which|that|because|since|as|to)\b", re.IGNORECASE)
_OPERATOR = re.compile(r"\s*[-+*/]\s*[($€£]*")
_LISTED = re.compile(r"\s*(?:[,;&]|,?\s*and\b)\s*[$€£]?", re.IGNORECASE)
_LOSS = re.compile(r"\b(?:loss|deficit)\s+of\s*$", re.IGNORECASE)
_IS_A_LOSS = re.compile(r"\s*(?:loss|deficit)\b", re.IGNORECASE)
_ALTERNATIVE = re.compile(r"^[^\w]*(?:or|/|either)[^\w]*$", re.IGNORECASE)
_COUNTED = re.compile(
    r"\b(?:all|both|each|every|the)?\s*(?:of\s+)?(?:the\s+)?\d+\s+(?:sets|lists|boxes|ranges|groups)\b",
    re.IGNORECASE,
)
_LESS_THAN = re.compile(
    r"\b(?:shorter|smaller|younger|slower|lower|lighter|less|later)\b|\b(?:is|comes?)\s+(?:after|behind)\b",
    re.IGNORECASE,
)
_MORE_THAN = re.compile(
    r"\b(?:taller|larger|bigger|older|faster|higher|heavier|more|earlier)\b|\b(?:is|comes?)\s+(?:before|ahead)\b",
    re.IGNORECASE,
)
_LEAST = r"(?:the\s+)?(?:shortest|smallest|youngest|slowest|lowest|lightest|least|last|latest)"
_LEAST_FIRST = re.compile(
    rf"\b(?:from\s+{_LEAST}|{_LEAST}(?:\s+\w+)?\s+(?:first|to\b)|(?:start|begin)\w*\s+with\s+{_LEAST}"
    r"|in\s+(?:ascending|increasing|reverse)\b)",
    re.IGNORECASE,
)
_EITHER = re.compile(r"\bor\b", re.IGNORECASE)
_SUBORDINATE = re.compile(
    r"\b(?:although|though|while|whereas|if|because|since|as|before|that)\b", re.IGNORECASE
)
_NOT_THE_ONE = r"(?:not|no|never|beaten|behind|slower|before|after|second|third|fourth|last|only)\b"

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
    if value is not None and (
        _LOSS.search(text[: found.start]) or _IS_A_LOSS.match(text[found.end :])
    ):
        value = -value
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
    named = [
        (name, at)
        for place, (name, at) in enumerate(mentions)
        if place == 0 or mentions[place - 1][0] != name
    ]
    count = len(answer.items)
    spans = [named[start : start + count] for start in range(len(named) - count + 1)]
    windows = [span for span in spans if len({name for name, _ in span}) == count]
    disagree = len({tuple(name for name, _ in window) for window in windows}) > 1
    if not windows or (disagree and (not commitment.explicit or _EITHER.search(text))):
        return None
    order = [name for name, _ in windows[0]]
    between = text[windows[0][0][1] : windows[0][-1][1]]
    # Orders are asked with the most first; one that says that it begins with the least is turned.
    less = "<" in between or _LESS_THAN.search(between) is not None
    more = ">" in between or _MORE_THAN.search(between) is not None
    begins = text[windows[0][0][1] : windows[0][1][1]]
    marked = re.search(rf"\(\s*{_LEAST}\s*\)", begins, re.IGNORECASE)
    if (less and not more) or marked or _LEAST_FIRST.search(text):
        order = order[::-1]
    return ", ".join(order), tuple(order) == answer.items


def _read_set(answer: Any, commitment: Commitment) -> Reading:
    assert isinstance(answer, SetAnswer)
    numeric = all(re.fullmatch(r"-?\d+(\.\d+)?", item) for item in answer.items)
    text = readable(commitment.text) if numeric else commitment.text
    text = _COUNTED.sub(" ", text)
    braces = re.findall(r"\{([^{}]*)\}", text)
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
        ends = re.match(r"\W*(?:and\W*)?$", text[second[1] + len(second[0]) :])
        listed = _LISTED.fullmatch(text[first[1] + len(first[0]) : second[1]])
        if commitment.explicit and ends and listed:
            return None
        said = _said(names, text)
        alone = commitment.explicit and re.match(
            r"\W*" + re.escape(first[0]) + r"\s*(?:[,.;:(]|-\s)", text, re.IGNORECASE
        )
        if said and not alone:
            return said, said == answer.value
        if not commitment.explicit and not re.match(
            r"\W*(?:\w+\s*,\s*)?" + re.escape(first[0]), text
        ):
            return None
    return names[0], names[0] == answer.value


def _said(names: Sequence[str], text: str) -> str | None:
    """Return the name that the last main clause says it is, if one does (`Amy is the fastest`)."""
    either = "|".join(map(re.escape, names))
    found: dict[bool, list[tuple[int, str]]] = {True: [], False: []}
    for match in re.finditer(
        rf"\b(?P<before>{either})\s+(?:still\s+|now\s+)?(?P<verb>is|was|remains|stays|counts)\b"
        rf"(?!\s+(?:now\s+)?{_NOT_THE_ONE})|\b(?:is|was)\s+(?:now\s+)?(?P<after>{either})\b",
        text,
    ):
        clause = re.split(r"[,;.]", text[: match.start()])[-1]
        if not _SUBORDINATE.search(clause):
            present = match["verb"] != "was"
            found[present].append((match.start(), match["before"] or match["after"]))
    # What was so is overtaken by what is so.
    said = found[True] or found[False]
    return said[-1][1] if said else None


def _chosen(found: Sequence[Found], text: str, explicit: bool) -> Found | None:
    """Return the value a sentence commits to, or None where it names none or hesitates.

    After a marker it is the first, unless a computation, a range or a clause (`after the discount
    of $5 you pay`) leads up to it; in a sentence it is the one after the last verb of being, having
    or ending. A computation without a result, or a range or list of values, is no commitment.
    """
    standing = [each for each in found if not _NEGATED.search(text[: each.start])]
    standing, text, equated = _beside_equals_sign(standing, text)
    standing = _without_ranges(standing, text)
    if not standing:
        return None
    for first, second in pairwise(standing):
        if _ALTERNATIVE.match(text[first.end : second.start]) and first.value != second.value:
            return None
    if re.match(r"\s*or\b", text[standing[0].end :], re.IGNORECASE):
        return None
    if not explicit and not equated:
        return _after_copula(standing, text)
    if equated:
        return standing[0]
    computed = 0
    while computed + 1 < len(standing) and _joined(_OPERATOR, standing[computed:], text):
        computed += 1
    standing = standing[computed + 1 :] if computed else standing
    if not standing:
        return None
    leads = standing[0]
    if _LEADS_UP.search(text[: leads.start]):
        # A clause that explains the value (`which is ...`) may hold others.
        clause = text[: leads.end] + _EXPLAINS.split(text[leads.end :])[0]
        if _COPULA.search(clause[leads.end :]):
            return _after_copula([each for each in standing if each.start < len(clause)], clause)
    if len(standing) > 1 and _joined(_LISTED, standing, text) and standing[1].value != leads.value:
        # `15 dollars and 0 cents` is one value.
        return leads if re.match(r"\s*cents?\b", text[standing[1].end :]) else None
    return leads


def _beside_equals_sign(standing: list[Found], text: str) -> tuple[list[Found], str, bool]:
    """Return the values on the last side of an equation that holds a result, and the text to there.

    What leads up to an equals sign is a computation, and so is what follows it in `15 = 20 - 5`.
    """
    ends = [match.start() for match in re.finditer("=", text)]
    for start, end in reversed(list(pairwise([-1, *ends, len(text)]))):
        side = [each for each in standing if start < each.start < end]
        if side and not (ends and len(side) > 1 and _joined(_OPERATOR, side, text)):
            return side, text[:end], start >= 0
    return [], text, False


def _without_ranges(standing: list[Found], text: str) -> list[Found]:
    """Return the values that are no bound of a range; of a change from one to another, the other.

    `2:45 PM to 4:15 PM` and `from $25 to $20` end in a value, `15 to 20` and `15-20` are two.
    """
    dropped: list[Found] = []
    for first, second in pairwise(standing):
        before, between = text[: first.start], text[first.end : second.start]
        if re.fullmatch(r"\s*and\s*[$€£]?", between) and re.search(r"\bbetween\s*$", before):
            dropped += [first, second]
        elif re.fullmatch(r"\s*(?:to|until|till)\s*[$€£]?", between):
            dropped.append(first)
            time_of_day = first.unit in ("clock", "ambiguous")
            one_unit = None in (first.unit, second.unit) or first.unit == second.unit
            if one_unit and not time_of_day and not re.search(r"\bfrom\s*$", before):
                dropped.append(second)
    return [each for each in standing if each not in dropped]


def _joined(joint: re.Pattern[str], standing: Sequence[Found], text: str) -> bool:
    """Whether nothing but `joint` stands between the first two values."""
    first, second = standing[:2]
    # The sign of `20 - 5` is read as that of the second number.
    sign = second.text[:1] if second.text[:1] in "+-" else ""
    return joint.fullmatch(text[first.end : second.start] + sign) is not None


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
