"""Templates of days, weeks and years."""

from goodhart_gap.evaluation.tasks import ChoiceAnswer
from goodhart_gap.evaluation.templates.base import Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import (
    minus,
    over,
    plus,
    share,
    times,
    told,
)

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


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
