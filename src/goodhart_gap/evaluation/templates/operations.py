"""The steps templates are made of: an operation, three ways to say it, and how to recognise it."""

from dataclasses import dataclass
from fractions import Fraction

from goodhart_gap.evaluation.text import tokens, words

Number = int | Fraction

_PLAIN = set(
    words(
        "the a an of and that this it its each all from to in by for one more so is as at on what"
    )
)


@dataclass(frozen=True)
class Step:
    """One operation of a solution."""

    goal: str
    """What it yields; names the concept."""

    text: str
    """The step in words."""

    other: str
    """The step in other words."""

    sums: str
    """The step with its numbers."""

    patterns: tuple[str, ...]
    """How the step is recognised."""

    value: str | None = None
    """What it yields, as a prompt or an answer would write it."""


def decimal(value: Number, digits: int = 4) -> str:
    """Return `value` in decimal notation. Raises ValueError when that takes more than `digits`."""
    scaled = Fraction(value) * 10**digits
    if scaled.denominator != 1:
        raise ValueError(f"{value} is not finite in {digits} decimals")
    return f"{float(value):.10g}"


def is_short(value: Number, digits: int = 2) -> bool:
    """Whether `value` has at most `digits` decimals."""
    return (Fraction(value) * 10**digits).denominator == 1


def keys(*phrases: str) -> str:
    """Return the content words of `phrases` as alternatives of a pattern."""
    found = [w for phrase in phrases for w in tokens(phrase) if w not in _PLAIN and w[0].isalnum()]
    return "|".join(dict.fromkeys(found))


def _recognise(verbs: str, goal: str, first: str, x: str, second: str, y: str) -> tuple[str, ...]:
    """Return patterns for an operation in words, the narrower the more they name.

    A pronoun names nothing, so it is no part of a pattern. Those that another step of the same
    problem satisfies as well are taken out when a task is made.
    """
    one, two, gain = keys(second, y), keys(first, x), keys(goal)
    found = [f"{verbs} & {one} & {two}", f"{verbs} & {one} & {gain}"]
    if keys(first):
        found.append(f"{verbs} & {two} & {gain}")
    else:
        found.append(f"{verbs} & {one}")
    return tuple(pattern for pattern in found if not pattern.endswith("& "))


def times(goal: str, a: Number, b: Number, first: str = "", second: str = "") -> Step:
    """Multiply `a` (called `first`) by `b` (called `second`)."""
    x, y, z = decimal(a), decimal(b), decimal(Fraction(a) * b)
    first, second = first or x, second or y
    return Step(
        goal,
        f"Multiply {first} by {second} to get {goal}.",
        f"For {goal}, you need {first} times {second}.",
        f"{goal}: {x} × {y} = {z}",
        (f"{x} * {y}|{y} * {x}", *_recognise("<multiply>", goal, first, x, second, y)),
        z,
    )


def over(goal: str, a: Number, b: Number, first: str = "", second: str = "") -> Step:
    """Divide `a` by `b`."""
    x, y, z = decimal(a), decimal(b), decimal(Fraction(a) / b)
    first, second = first or x, second or y
    return Step(
        goal,
        f"Divide {first} by {second} to get {goal}.",
        f"Split {first} by {second}, and you have {goal}.",
        f"{goal}: {x} / {y} = {z}",
        (f"{x} / {y}", *_recognise("<divide>", goal, first, x, second, y)),
        z,
    )


def plus(goal: str, a: Number, b: Number, first: str = "", second: str = "") -> Step:
    """Add `b` to `a`."""
    x, y, z = decimal(a), decimal(b), decimal(Fraction(a) + b)
    first, second = first or x, second or y
    return Step(
        goal,
        f"Add {second} to {first} to get {goal}.",
        f"Put {first} and {second} together: the sum of the two is {goal}.",
        f"{goal}: {x} + {y} = {z}",
        (f"{x} + {y}|{y} + {x}", *_recognise("<add>", goal, first, x, second, y)),
        z,
    )


def minus(goal: str, a: Number, b: Number, first: str = "", second: str = "") -> Step:
    """Subtract `b` from `a`."""
    x, y, z = decimal(a), decimal(b), decimal(Fraction(a) - b)
    first, second = first or x, second or y
    return Step(
        goal,
        f"Subtract {second} from {first} to get {goal}.",
        f"Take {second} away from {first}, which leaves {goal}.",
        f"{goal}: {x} - {y} = {z}",
        (
            f"{x} - {y}",
            *_recognise("<subtract>|take~ ... away|difference", goal, first, x, second, y),
        ),
        z,
    )


def share(goal: str, percent: Number, a: Number, whole: str = "") -> Step:
    """Take `percent` percent of `a`."""
    rate = Fraction(percent) / 100
    x, p, r, z = decimal(a), decimal(percent), decimal(rate), decimal(rate * a)
    whole = whole or x
    return Step(
        goal,
        f"Take {p}% of {whole} to get {goal}.",
        f"Multiply {whole} by {r}, since {p} percent is that as a decimal; this is {goal}.",
        f"{goal}: {r} × {x} = {z}",
        (
            f"{p} % of & {keys(whole, x)}",
            f"{p} % of & {keys(goal)}",
            f"{r} * {x}|{x} * {r}|{x} * {p}|{p} / 100 * {x}",
            f"<multiply> & {r}|{p} % & {keys(whole, x)}",
            f"<multiply> & {r}|{p} % & {keys(goal)}",
        ),
        z,
    )


def clock(minutes: int) -> str:
    """Return a time of day on the twelve-hour clock, as answers write it."""
    hour, minute = divmod(minutes % 1440, 60)
    return f"{hour % 12 or 12}:{minute:02d} {'PM' if hour >= 12 else 'AM'}"


def length(minutes: int) -> str:
    """Return a length of time in hours and minutes."""
    hours, rest = divmod(minutes, 60)
    parts = []
    if hours:
        parts.append(f"{hours} hour" + "s" * (hours != 1))
    if rest:
        parts.append(f"{rest} minute" + "s" * (rest != 1))
    return " and ".join(parts)


def later(goal: str, start: int, minutes: int, begin: str = "", span: str = "") -> Step:
    """Go forward from a time of day."""
    x, y, z = clock(start), length(minutes), clock(start + minutes)
    begin, span = begin or x, span or y
    return Step(
        goal,
        f"Add {span} to {begin} to get {goal}.",
        f"Count forward from {begin} by {span}: this is {goal}.",
        f"{goal}: {x} + {y} = {z}",
        (
            f"{x} + {y}|{x.split()[0]} + {y}",
            *_recognise("<add>|forward|ahead", goal, begin, x.split()[0], span, y),
            f"{y} ... after|{y} ... later|after {y}",
            f"{x.split()[0]} & {z.split()[0]}",
        ),
        z,
    )


def earlier(goal: str, end: int, minutes: int, begin: str = "", span: str = "") -> Step:
    """Go back from a time of day."""
    x, y, z = clock(end), length(minutes), clock(end - minutes)
    begin, span = begin or x, span or y
    return Step(
        goal,
        f"Subtract {span} from {begin} to get {goal}.",
        f"Count back from {begin} by {span}: this is {goal}.",
        f"{goal}: {x} - {y} = {z}",
        (
            f"{x} - {y}|{x.split()[0]} - {y}",
            *_recognise("<subtract>|back", goal, begin, x.split()[0], span, y),
            f"{y} ... before|{y} ... earlier|before {y}",
            f"{x.split()[0]} & {z.split()[0]}",
        ),
        z,
    )


def between(goal: str, start: int, end: int, first: str = "", last: str = "") -> Step:
    """Measure from one time of day to a later one."""
    x, y, z = clock(start), clock(end), length(end - start)
    first, last = first or x, last or y
    return Step(
        goal,
        f"Subtract {first} from {last} to get {goal}.",
        f"Count the time from {first} up to {last}; that is {goal}.",
        f"{goal}: {y} - {x} = {z}",
        (
            f"{y} - {x}|{y.split()[0]} - {x.split()[0]}",
            f"<subtract>|difference & {keys(first, x.split()[0])}",
            f"from|between & {keys(first, x.split()[0])} & {keys(last, y.split()[0])} &"
            " count~|time|pass~",
        ),
        z,
    )


def told(goal: str, text: str, other: str, sums: str, *patterns: str) -> Step:
    """Return a step of logic, which has no number."""
    return Step(goal, text, other, sums, patterns)
