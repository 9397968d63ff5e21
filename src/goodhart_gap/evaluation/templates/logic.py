"""Templates of orderings, sets and the calendar."""

from itertools import pairwise

from goodhart_gap.evaluation.tasks import ChoiceAnswer, OrderingAnswer, SetAnswer
from goodhart_gap.evaluation.templates.base import Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import (
    Step,
    minus,
    over,
    plus,
    share,
    times,
    told,
)

NAMES = ("Anna", "Ben", "Cleo", "Dirk", "Ella", "Finn", "Greta", "Hugo", "Ines", "Jan")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


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


@template("calendar", "easy")
def weekday_after_days(draw: Draw) -> Problem | None:
    start, days = draw.integer(0, 6), draw.integer(9, 60)
    if days % 7 == 0:
        return None
    return Problem(
        f"Today is {DAYS[start]}.",
        f"Which day of the week is it in {days} days?",
        "the day of the week",
        f"which day of the week it is in {days} days",
        ChoiceAnswer(kind="choice", value=DAYS[(start + days) % 7], options=DAYS),
        (
            told(
                "the remainder after full weeks",
                f"Divide {days} by 7 and keep the remainder, because a week changes nothing.",
                f"Take off as many sevens as fit into {days}.",
                f"{days} - {days // 7} × 7 = {days % 7}",
                "by 7|sevens|* 7|remainder|modul~|full weeks",
            ),
            told(
                "count on",
                f"Count on from {DAYS[start]} by what is left.",
                f"Go forward that many days from {DAYS[start]}.",
                f"{DAYS[start]} + {days % 7} = {DAYS[(start + days) % 7]}",
                f"count~|forward|<add>|go~ & {DAYS[start]}",
            ),
        ),
        {"start": start, "days": days},
        operands=(DAYS[start],),
    )


@template("calendar", "medium")
def weekday_before_days(draw: Draw) -> Problem | None:
    start, days = draw.integer(0, 6), draw.integer(9, 60)
    if days % 7 == 0 or (2 * days) % 7 == 0:
        return None
    return Problem(
        f"Today is {DAYS[start]}.",
        f"Which day of the week was it {days} days ago?",
        "the day of the week",
        f"which day of the week it was {days} days ago",
        ChoiceAnswer(kind="choice", value=DAYS[(start - days) % 7], options=DAYS),
        (
            told(
                "the remainder after full weeks",
                f"Divide {days} by 7 and keep the remainder, because a week changes nothing.",
                f"Take off as many sevens as fit into {days}.",
                f"{days} - {days // 7} × 7 = {days % 7}",
                "by 7|sevens|* 7|remainder|modul~|full weeks",
            ),
            told(
                "count back",
                f"Count back from {DAYS[start]} by what is left.",
                f"Go backwards that many days from {DAYS[start]}.",
                f"{DAYS[start]} - {days % 7} = {DAYS[(start - days) % 7]}, going back",
                f"back~|<subtract> & {DAYS[start]}",
            ),
        ),
        {"start": start, "days": days},
        operands=(DAYS[start], DAYS[(start + days) % 7]),
    )


@template("calendar", "medium")
def weeks_of_medicine(draw: Draw) -> Problem | None:
    daily, weeks, box = draw.integer(2, 4), draw.integer(3, 9), draw.choice((12, 14, 21, 28))
    need = daily * 7 * weeks
    if need % box or need // box in (daily, weeks, box):
        return None
    return Problem(
        f"A patient takes {daily} tablets a day for {weeks} weeks. A box holds {box} tablets.",
        "How many boxes does she need?",
        "the number of boxes",
        "how many boxes she needs",
        number(need // box),
        (
            times("the days", weeks, 7, f"{weeks} weeks", "seven days"),
            times("the tablets", 7 * weeks, daily, "the days", f"{daily} tablets a day"),
            over("the boxes", need, box, "the tablets", f"the {box} of a box"),
        ),
        {"daily": daily, "weeks": weeks, "box": box},
    )


@template("calendar", "medium")
def age_from_years(draw: Draw) -> Problem | None:
    born, later_, older = draw.integer(1950, 1995), draw.integer(18, 40), draw.integer(2, 9)
    if later_ in (older, later_ - older):
        return None
    return Problem(
        f"Rosa was born in {born} and her brother {older} years after her. In"
        f" {born + later_} both have"
        " already had their birthdays.",
        "How old is the brother then?",
        "the number of years",
        "how old the brother is then",
        number(later_ - older, "year"),
        (
            minus("Rosa's age", born + later_, born, f"{born + later_}", f"{born}"),
            minus("the brother's age", later_, older, "her age", f"the {older} years"),
        ),
        {"born": born, "year": born + later_, "older": older},
    )


@template("calendar", "hard")
def days_of_a_rented_bike(draw: Draw) -> Problem | None:
    first, last, price = draw.integer(4, 12), draw.integer(15, 20), draw.integer(6, 15)
    off = draw.choice((10, 20))
    days = last - first + 1
    total = days * price
    if total * off % 100 or days in (first, last, price):
        return None
    return Problem(
        f"A bicycle is rented from the {first}th to the {last}th of a month, both days counted, at"
        f" ${price} a day. As the rental is long, {off}% is taken off.",
        "How many dollars does it cost?",
        "the number of dollars",
        "what the bicycle costs",
        number(total - total * off // 100, "dollar"),
        (
            minus("the nights", last, first, f"{last}", f"{first}"),
            plus("the days", last - first, 1, "this", "one for the first day"),
            times("the full price", days, price, "the days", f"${price}"),
            share("the reduction", off, total, "the full price"),
            minus("the cost", total, total * off // 100, "the full price", "the reduction"),
        ),
        {"first": first, "last": last, "price": price, "off": off},
    )
