"""Templates of sets and what they share."""

from goodhart_gap.evaluation.tasks import SetAnswer
from goodhart_gap.evaluation.templates.base import NAMES, Draw, Problem, template
from goodhart_gap.evaluation.templates.operations import (
    told,
)


def _ranges(draw: Draw) -> tuple[int, int, int, int]:
    a, b = draw.integer(1, 9), draw.integer(3, 14)
    return a, a + draw.integer(5, 9), b, b + draw.integer(5, 9)


@template("sets", "medium")
def in_both_ranges(draw: Draw) -> Problem | None:
    a, b, c, d = _ranges(draw)
    common = [n for n in range(a, b + 1) if c <= n <= d]
    if not 2 <= len(common) <= 4 or set(common) & {a, b, c, d} == set(common):
        return None
    return Problem(
        f"List one holds the whole numbers from {a} to {b}, list two those from {c} to {d}.",
        "Which numbers are on both lists?",
        "the numbers separated by commas",
        "which numbers are on both lists",
        SetAnswer(kind="set", items=tuple(map(str, common))),
        (
            told(
                "write the lists out",
                f"Write both lists out, the first from {a} on and the second from {c} on.",
                f"Go through the members of the first one, {a}, {a + 1} and so forth.",
                "the members of list one are " + ", ".join(map(str, range(a, b + 1))),
                f"write~|list~ ... out|go~ through|enumerat~|members|{a} {a + 1}",
            ),
            told(
                "keep the common ones",
                "Keep the numbers that occur in the two of them.",
                "Retain only what is shared with the second one.",
                "those in common are " + ", ".join(map(str, common)),
                "keep|common|shared|occur~ in|retain|overlap|intersect~|both",
            ),
        ),
        {"a": a, "b": b, "c": c, "d": d},
        operands=(str(a), str(d)),
    )


@template("sets", "medium")
def in_one_but_not_the_other(draw: Draw) -> Problem | None:
    a, b, c, d = _ranges(draw)
    rest = [n for n in range(a, b + 1) if not c <= n <= d]
    if not 2 <= len(rest) <= 4:
        return None
    return Problem(
        f"Box one holds tickets numbered {a} to {b}. Every ticket numbered {c} to {d} is"
        " taken out.",
        "Which numbers remain?",
        "the numbers separated by commas",
        "which numbers remain",
        SetAnswer(kind="set", items=tuple(map(str, rest))),
        (
            told(
                "write the tickets out",
                f"Write out the tickets, {a}, {a + 1} and so on up to {b}.",
                f"Enumerate the members of the box, {a}, {a + 1} and so forth.",
                "the tickets listed are " + ", ".join(map(str, range(a, b + 1))),
                f"write~|list~|enumerat~|{a} {a + 1}",
            ),
            told(
                "strike out",
                f"Cross off each one that lies between {c} and {d}.",
                f"Then drop those of at least {c} and at most {d}.",
                "those left after crossing off are " + ", ".join(map(str, rest)),
                "cross~|strik~|drop|delet~|eliminat~|discard~|remov~|not in",
            ),
        ),
        {"a": a, "b": b, "c": c, "d": d},
        operands=(str(a), str(d)),
    )


@template("sets", "hard")
def multiples_of_two_numbers(draw: Draw) -> Problem | None:
    (m, n), top = draw.several((3, 4, 5, 6, 7, 8, 9), 2), draw.integer(40, 90)
    common = [k for k in range(1, top + 1) if k % m == 0 and k % n == 0]
    if not 2 <= len(common) <= 4 or m % n == 0 or n % m == 0:
        return None
    return Problem(
        f"Consider the whole numbers from 1 to {top}.",
        f"Which of them can be divided by both {m} and {n}?",
        "the numbers separated by commas",
        f"which of them can be divided by both {m} and {n}",
        SetAnswer(kind="set", items=tuple(map(str, common))),
        (
            told(
                "the least common multiple",
                f"Find the least common multiple, which is {common[0]}.",
                f"The smallest number that is a multiple of the two is {common[0]}.",
                f"least common multiple: {common[0]}",
                f"multiple~|lcm|{common[0]} & common|smallest|least|lcm",
            ),
            told(
                "its multiples",
                f"Then list the multiples of that as far as {top}.",
                f"Go on in steps of {common[0]} until {top} is passed.",
                f"in steps of {common[0]}: " + ", ".join(map(str, common)),
                f"list~|steps|up to|as far|until|add~ ... {common[0]} & {top}|{common[0]}",
            ),
        ),
        {"m": m, "n": n, "top": top},
        operands=(str(m), str(n)),
    )


@template("sets", "medium")
def only_one_of_two_clubs(draw: Draw) -> Problem | None:
    names = draw.several(NAMES, 6)
    chess, choir = names[:4], names[2:]
    only = sorted([*names[:2], *names[4:]])
    return Problem(
        f"{', '.join(sorted(chess))} play chess. {', '.join(sorted(choir))} sing in the choir.",
        "Who does exactly one of the two?",
        "the names separated by commas",
        "who does exactly one of the two",
        SetAnswer(kind="set", items=tuple(only), universe=tuple(sorted(names))),
        (
            told(
                "who does both",
                "Find the names that are on both lists.",
                "Look up who occurs twice.",
                "on both lists: " + ", ".join(sorted(names[2:4])),
                "both|twice|overlap|common|intersect~",
            ),
            told(
                "leave them out",
                "Leave these out and keep everybody else.",
                "Strike them, and the others are what is asked for.",
                "left without them: " + ", ".join(only),
                "leave ... out|left|strik~|remov~|exclud~|everybody else|remaining|others",
            ),
        ),
        {"chess": sorted(chess), "choir": sorted(choir)},
        operands=(names[2],),
    )
