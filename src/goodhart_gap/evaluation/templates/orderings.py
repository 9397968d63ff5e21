"""Templates of orders, seats and who says what."""

from itertools import pairwise

from goodhart_gap.evaluation.tasks import ChoiceAnswer, OrderingAnswer
from goodhart_gap.evaluation.templates.base import NAMES, Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import (
    Step,
    plus,
    told,
)


def _chain(first: str, last: str) -> tuple[Step, ...]:
    return (
        told(
            "one end of the chain",
            f"Link the statements: {first} is never on the losing side of one, so {first}"
            " comes first.",
            f"Nobody is put before {first}, therefore {first} leads the row.",
            f"{first} comes first, being ahead of all others",
            f"{first} & first|leads|top|start~|most|-est|begin~|ahead of all",
        ),
        told(
            "the other end",
            f"Go down the chain from one person to the next until {last}, who is last.",
            f"In the same way {last} is behind everybody, hence at the end.",
            f"{last} comes last, at the other end",
            f"{last} & last|end|bottom|behind|least",
        ),
    )


def _shuffled_order(
    draw: Draw, verb: str, reverse: str, count: int
) -> tuple[list[str], str] | None:
    names = draw.several(NAMES, count)
    facts = []
    for a, b in pairwise(names):
        facts.append(draw.choice((f"{a} is {verb} than {b}", f"{b} is {reverse} than {a}")))
    said = draw.several(facts, len(facts))
    return None if said == facts else (names, ". ".join(said) + ".")


@template("logic", "easy")
def row_by_height(draw: Draw) -> Problem | None:
    made = _shuffled_order(draw, "taller", "shorter", 4)
    if made is None:
        return None
    names, said = made
    return Problem(
        said,
        "Put the four in order, the tallest first.",
        "the names separated by commas",
        "their order from tallest to shortest",
        OrderingAnswer(kind="ordering", items=tuple(names)),
        _chain(names[0], names[-1]),
        {"facts": said},
        operands=(", ".join(reversed(names)),),
    )


@template("logic", "medium")
def row_by_age(draw: Draw) -> Problem | None:
    made = _shuffled_order(draw, "older", "younger", 5)
    if made is None:
        return None
    names, said = made
    return Problem(
        said,
        "Put the five in order, the oldest first.",
        "the names separated by commas",
        "their order from oldest to youngest",
        OrderingAnswer(kind="ordering", items=tuple(names)),
        _chain(names[0], names[-1]),
        {"facts": said},
        operands=(", ".join(reversed(names)),),
    )


@template("logic", "medium")
def who_is_in_the_middle(draw: Draw) -> Problem | None:
    made = _shuffled_order(draw, "faster", "slower", 5)
    if made is None:
        return None
    names, said = made
    return Problem(
        said,
        "Who is in the middle of the five?",
        "the name",
        "who is in the middle of the five",
        ChoiceAnswer(kind="choice", value=names[2], options=tuple(sorted(names))),
        (
            told(
                "the order",
                f"Link the statements to a chain: {', '.join(names)}, from the fastest on.",
                f"Combined, the comparisons give one row that starts with {names[0]} and ends with"
                f" {names[4]}.",
                "order: " + " > ".join(names),
                f"link~|chain|combin~|order|row|rank~ & {names[0]}",
            ),
            told(
                "the third of five",
                "Take the third of them, since two stand on either side.",
                "The middle of five is the third place.",
                f"third: {names[2]}",
                "third|3rd|two ... side|middle ... is",
            ),
        ),
        {"facts": said, "names": sorted(names)},
        operands=tuple(n for n in names if n != names[2]),
    )


@template("logic", "hard")
def who_tells_the_truth(draw: Draw) -> Problem | None:
    a, b, c = draw.several(NAMES, 3)
    thief = draw.choice((a, b))
    claim = f"{a} says: {b} did it. {b} says: I did not do it. {c} says: I did not do it."
    truthful = [thief == b, thief != b, thief != c]
    if sum(truthful) != 2:
        return None
    return Problem(
        f"Exactly one of {a}, {b} and {c} broke a vase, and exactly one of the three lies. {claim}"
        f" We also know that {c} speaks the truth, and that {b if thief == a else a} does too.",
        "Who broke the vase?",
        "the name",
        "who broke the vase",
        ChoiceAnswer(kind="choice", value=thief, options=(a, b, c)),
        (
            told(
                "the liar",
                "As only one of them lies and two are known to be truthful,"
                f" {a if thief == a else b}"
                " must be the liar.",
                f"The one who is left, {a if thief == a else b}, is lying.",
                f"the liar is {a if thief == a else b}, the only one left",
                "liar|lying|lies|false",
            ),
            told(
                "what follows",
                f"The true statements rule out {c} and leave only {thief}.",
                f"Therefore {c} is excluded, and it was {thief}.",
                f"ruled out is {c}; the only one remaining is {thief}",
                f"rul~ ... out|exclud~|eliminat~|leav~ only|remaining|innocent & {thief}|{c}",
            ),
        ),
        {"names": [a, b, c], "thief_index": [a, b, c].index(thief)},
        operands=tuple(n for n in (a, b, c) if n != thief),
    )


@template("logic", "medium")
def overtaking(draw: Draw) -> Problem | None:
    names, at, gain = draw.several(NAMES, 5), draw.integer(3, 4), draw.integer(1, 2)
    after = names.copy()
    mover = after.pop(at)
    after.insert(at - gain, mover)
    return Problem(
        f"In a race {names[0]} leads before {names[1]}, {names[2]}, {names[3]} and"
        f" {names[4]}, in this"
        f" order. Then {mover} overtakes {gain} of them, and nothing else changes.",
        "What is the order now, the leader first?",
        "the names separated by commas",
        "the order now",
        OrderingAnswer(kind="ordering", items=tuple(after)),
        (
            told(
                "move up",
                f"Move {mover} up by {gain}, from place {at + 1} to place {at + 1 - gain}.",
                f"{mover} gains {gain}, so the new place is {at + 1} minus {gain}.",
                f"{mover}: {at + 1} - {gain} = {at + 1 - gain}",
                f"{mover} & move~|gain~|place|position|up|- {gain}",
            ),
            told(
                "those passed fall back",
                "Whoever was overtaken falls back one place each.",
                "The others that were passed slip down by one.",
                "passed: down one place",
                "fall~|back|slip~|down|drop~|behind|shift~",
            ),
        ),
        {"names": names, "at": at, "gain": gain},
        operands=(", ".join(names),),
    )


@template("logic", "medium")
def seats_at_a_table(draw: Draw) -> Problem | None:
    count, seat, step = draw.integer(6, 11), draw.integer(2, 6), draw.integer(7, 25)
    end = (seat - 1 + step) % count + 1
    if end in (seat, step, count, 1):
        return None
    return Problem(
        f"The seats of a round table are numbered from 1 to {count}. A token lies at seat"
        f" {seat} and is"
        f" moved on by {step} seats, in the direction of rising numbers.",
        "At which seat does it end?",
        "the number of the seat",
        "at which seat the token ends",
        number(end),
        (
            plus("the count without going round", seat, step, f"seat {seat}", f"{step}"),
            told(
                "take off full rounds",
                f"Subtract {count} as often as needed, because that is a full round.",
                f"Only the remainder on dividing by {count} matters, as a round leads back.",
                f"{seat + step} - {(seat + step - end) // count} × {count} = {end}",
                f"<subtract>|remainder|modul~|mod|full|round~|- & {count}",
            ),
        ),
        {"count": count, "seat": seat, "step": step},
    )
