"""Values as people write them: numbers with units, times of day, lengths of time.

Spelled numbers are read by text2num and units by pint, both loaded when first needed.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from goodhart_gap.evaluation.text import clean, words

_CURRENCY = {"$": "dollar", "€": "euro", "£": "pound_sterling"}
_ALIASES = {
    "usd": "dollar",
    "eur": "euro",
    "buck": "dollar",
    "bucks": "dollar",
    "celsius": "degree_Celsius",
    "centigrade": "degree_Celsius",
    "c": "degree_Celsius",
    "fahrenheit": "degree_Fahrenheit",
    "f": "degree_Fahrenheit",
    "cups": "cup",
    "mins": "minute",
    "min": "minute",
    "hrs": "hour",
    "hr": "hour",
    "h": "hour",
    "m": "meter",
    "%": "percent",
    "points": "point",
    "pts": "point",
}
_QUANTITY = re.compile(
    r"(?P<sign>(?<![\w)])[-+])?(?P<currency>[$€£])?\s?(?P<sign2>-)?"
    r"(?<![\w.])(?P<number>\d+(?:\.\d+)?|\.\d+)(?!\w*:\d)"
    r"(?:\s*/\s*(?P<denominator>\d+(?:\.\d+)?|\.\d+)(?!\d|\.\d))?"
    r"\s*(?P<unit>%|degrees\s+[a-zA-Z]+|[a-zA-Z]+)?"
)
_CLOCK = re.compile(
    r"(?<![\d.:$])(?P<hour>\d{1,2})(?:[:.](?P<minute>[0-5]\d))?(?:[:.][0-5]\d)?\s*"
    r"(?P<half>[ap]\.?\s?m\b\.?|noon\b|midnight\b|o'?clock\s+in\s+the\s+(?:morning|afternoon|evening)"
    r"|in\s+the\s+(?:morning|afternoon|evening))?"
    r"(?P<zone>\s*h(?:rs|ours)?\b)?",
    re.IGNORECASE,
)
_WORD_TIME = re.compile(r"\b(?:12(?::00)?\s*)?(noon|midday|midnight)\b", re.IGNORECASE)
_LENGTH = re.compile(
    r"(?P<number>\d+(?:\.\d+)?)\s*-?\s*(?P<unit>days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)\b",
    re.IGNORECASE,
)
_MAGNITUDES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_MAGNITUDE = re.compile(rf"(?<![\w.])(\d+(?:\.\d+)?)\s*({'|'.join(_MAGNITUDES)})\b", re.IGNORECASE)
_MINUTES_IN = {"d": 1440.0, "h": 60.0, "m": 1.0, "s": 1 / 60}


@dataclass(frozen=True)
class Found:
    """A value read from a text: what it is, and where it stands."""

    value: float
    unit: str | None
    start: int
    end: int
    text: str


def spelled_out(text: str) -> str:
    """Return `text` with number words turned into digits: `one hundred five` into `105`."""
    from text_to_num import alpha2digit  # type: ignore[import-untyped]

    if not re.search(r"[a-z]", text, re.IGNORECASE):
        return text
    result: str = alpha2digit(text, "en")
    small = words("zero one two three four five six seven eight nine ten")
    for value, word in enumerate(small):
        if word != "one":
            result = re.sub(rf"\b{word}\b", str(value), result, flags=re.IGNORECASE)
    return result


def quantities(text: str) -> list[Found]:
    """Return the numbers of `text` with their units; times of day are left out."""
    found = []
    for match in _QUANTITY.finditer(text):
        if re.match(r"\s*[ap]\.?\s?m\b", text[match.end("number") :], re.IGNORECASE):
            continue
        if text[match.start("number") - 1 : match.start("number")] == ":":
            continue
        value = float(match["number"])
        if match["denominator"] and float(match["denominator"]):
            value /= float(match["denominator"])
        if match["sign"] == "-" or match["sign2"]:
            value = -value
        named = unit_named(match["unit"]) if match["unit"] else None
        unit = _CURRENCY.get(match["currency"] or "", named)
        # A word that is no unit is not part of the value: the `or` of `$15 or $20`.
        end = match.end() if named is not None else match.end("number")
        end = max(end, match.end("denominator"))
        shown = text[match.start() : end].strip()
        found.append(Found(value, unit, match.start(), end, shown))
    return found


def unit_named(word: str) -> str | None:
    """Return pint's name of the unit `word` stands for, or None where it is no unit."""
    word = re.sub(r"^degrees\s+", "", word.strip(), flags=re.IGNORECASE)
    lower = word.lower().rstrip(".")
    if lower in ("degree", "degrees"):
        # Of which scale is left open, so it is the one asked for; pint would read an angle.
        return None
    if lower in _ALIASES:
        return _ALIASES[lower]
    if len(lower) < 2 or lower in _NOT_UNITS:
        return None
    return _pint_name(lower)


_NOT_UNITS = set(
    words(
        "a an and as at are by for from in is it of off on or so then the to was with are per "
        "each left total more less bar barn are atom rod link hand point line pole chain"
    )
) - {"point"}


@cache
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry()
    registry.define("dollar = [currency_dollar]")
    registry.define("euro = [currency_euro]")
    registry.define("pound_sterling = [currency_pound]")
    registry.define("serving = [serving]")
    return registry


@cache
def _pint_name(word: str) -> str | None:
    import pint

    if word not in _COMMON_UNITS and word.rstrip("s") not in _COMMON_UNITS:
        return None
    try:
        return str(_registry().Unit(word))
    except (pint.UndefinedUnitError, AttributeError, ValueError, TypeError):
        return None


_COMMON_UNITS = set(
    words(
        "dollar euro cent mile kilometer kilometre km meter metre centimeter cm millimeter mm "
        "inch foot feet yard hour minute second day week month year cup liter litre ml "
        "milliliter gallon pint quart tablespoon teaspoon ounce pound gram kg kilogram mph "
        "kph degree percent serving ounces inches lb lbs oz"
    )
)


def converted(value: float, unit: str, wanted: str) -> float | None:
    """Return `value` in the unit `wanted`, or None where the units do not convert."""
    import pint

    if unit == wanted:
        return value
    try:
        return float(_registry().Quantity(value, unit).to(wanted).magnitude)
    except (pint.DimensionalityError, pint.UndefinedUnitError, pint.OffsetUnitCalculusError):
        return None


def clock_times(text: str) -> list[Found]:
    """Return the times of day in `text`, as minutes after midnight.

    A time such as 4:15, which could be either half of the day, has the unit `ambiguous`; one that
    says AM or PM, or that only a 24-hour clock shows, has the unit `clock`.
    """
    found = []
    for match in _CLOCK.finditer(text):
        hour, minute = int(match["hour"]), int(match["minute"] or 0)
        half = re.sub(r"[\s.]", "", (match["half"] or "").lower())
        if not half and match["minute"] is None:
            continue
        if "." in text[match.start("hour") : match.end("minute")] and not half:
            continue
        if hour > 24 or (half and not 1 <= hour <= 12 and not hour > 12):
            continue
        found.append(_clock(match, hour, minute, half))
    taken = [(each.start, each.end) for each in found]
    for match in _WORD_TIME.finditer(text):
        if not any(start < match.end() and match.start() < end for start, end in taken):
            minutes = 0 if match[1].lower() == "midnight" else 720
            found.append(Found(minutes, "clock", match.start(), match.end(), match[0]))
    return sorted(found, key=lambda each: each.start)


def _clock(match: re.Match[str], hour: int, minute: int, half: str) -> Found:
    unit = "clock"
    if half.startswith("p") or half in ("noon",) or "afternoon" in half or "evening" in half:
        hour = hour if hour > 12 else hour % 12 + 12
    elif half.startswith("a") or "morning" in half or half == "midnight":
        hour = hour % 12
    elif not (hour > 12 or hour == 0 or match["hour"].startswith("0")):
        unit = "ambiguous"
    return Found((hour % 24) * 60 + minute, unit, match.start(), match.end(), match[0].strip())


def durations(text: str) -> list[Found]:
    """Return the lengths of time in `text`, in minutes; `2 hours and 35 minutes` is one."""
    found: list[Found] = []
    for match in _LENGTH.finditer(text):
        minutes = float(match["number"]) * _MINUTES_IN[match["unit"][0].lower()]
        if found and re.fullmatch(r"[\s,]*(?:and\s+|\+\s*)?", text[found[-1].end : match.start()]):
            last = found.pop()
            minutes += last.value
            start = last.start
        else:
            start = match.start()
        found.append(Found(minutes, "minute", start, match.end(), text[start : match.end()]))
    return found


def readable(text: str) -> str:
    """Return `text` in one spelling, number words as digits: what the readers above take."""
    return spelled_out(_MAGNITUDE.sub(_multiplied, clean(text)))


def _multiplied(match: re.Match[str]) -> str:
    return f"{float(match[1]) * _MAGNITUDES[match[2].lower()]:.15g}"
