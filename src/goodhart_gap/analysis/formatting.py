"""Numbers as documents show them: one place decides digits, units and what stands for nothing."""

import math
from collections.abc import Callable, Mapping
from typing import Any

MISSING = "n/a"


def percent(value: float | None, note: str | None = None, digits: int | None = 1) -> str:
    """Show a share in percent, or the note where there is none; `digits` None drops zeros.

    >>> percent(24 / 67), percent(None, "n/a (no executed task)")
    ('35.8 %', 'n/a (no executed task)')
    """
    return _or_note(value, note, lambda plain: f"{_fixed(100 * plain, digits)} %")


def points(value: float | None, note: str | None = None, digits: int = 1) -> str:
    """Show a difference of shares in percentage points, with its sign.

    >>> points(-0.0053), points(0.0)
    ('-0.5', '0.0')
    """

    def shown(number: float) -> str:
        rounded = round(100 * number, digits)
        return f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}"

    return _or_note(value, note, shown)


def size(value: float | None, note: str | None = None, digits: int = 1) -> str:
    """Show the size of a difference of shares in percentage points, without a sign.

    >>> size(0.05)
    '5.0'
    """
    return _or_note(value, note, lambda plain: f"{abs(100 * plain):.{digits}f}")


def number(value: float | None, note: str | None = None, digits: int | None = 2) -> str:
    """Show a plain number with fixed digits (None: only those it needs), integers without."""

    def shown(plain: float) -> str:
        return f"{plain:,}" if isinstance(plain, int) else _fixed(plain, digits)

    return _or_note(value, note, shown)


def p_value(value: float | None, note: str | None = None) -> str:
    """Show a p value to three digits, or as below the smallest shown.

    >>> p_value(0.0004), p_value(0.25)
    ('< 0.001', '0.250')
    """
    return _or_note(value, note, lambda number: "< 0.001" if number < 0.001 else f"{number:.3f}")


def interval(
    row: Mapping[str, Any],
    show: Callable[[float], str] = percent,
    low: str = "low",
    high: str = "high",
    note: str = "method",
) -> str:
    """Show the interval of a row, or its note where there is none."""
    if row[low] is None or row[high] is None:
        return str(row.get(note) or row.get("note") or MISSING)
    return f"{show(row[low])} to {show(row[high])}"


def points_interval(row: Mapping[str, Any], low: str = "low", high: str = "high") -> str:
    """Show the interval of a difference in percentage points."""
    note = "method" if low == "low" else "note"
    return interval(row, points, low, high, note)


def difference_interval(row: Mapping[str, Any]) -> str:
    """Show the interval of the change in a row that also holds the rate itself."""
    return interval(row, points, "difference_low", "difference_high", "difference_method")


def number_interval(row: Mapping[str, Any], name: str) -> str:
    """Show the interval of a plain number that a row holds as `name`_low and `name`_high."""
    return interval(row, number, f"{name}_low", f"{name}_high", "note")


def parameters(count: int | None) -> str:
    """Show a number of weights the way model names do.

    >>> parameters(134515008), parameters(72706203648)
    ('135 million', '72.7 billion')
    """
    if count is None:
        return "an unrecorded number of"
    for unit, size in (("billion", 10**9), ("million", 10**6), ("thousand", 10**3)):
        if count >= size:
            scaled = count / size
            return f"{scaled:.0f} {unit}" if scaled >= 100 else f"{scaled:.1f} {unit}"
    return str(count)


def counted(count: int, noun: str) -> str:
    """Show a count with its noun, in the plural unless there is one.

    >>> counted(1, "task"), counted(20, "task")
    ('1 task', '20 tasks')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def listing(names: list[str]) -> str:
    """Join names as a sentence does.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _fixed(plain: float, digits: int | None) -> str:
    return f"{plain:,.{digits}f}" if digits is not None else f"{round(plain, 6):,.10g}"


def _or_note(value: float | None, note: str | None, show: Callable[[float], str]) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return note or MISSING
    return show(value)
