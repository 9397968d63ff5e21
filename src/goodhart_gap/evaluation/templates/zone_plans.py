"""Templates of time zones: several places at once, their days, calls and deadlines.

Every offset is stated in the prompt, so nothing rests on geography.
"""

from goodhart_gap.evaluation.tasks import ChoiceAnswer, DurationAnswer, OrderingAnswer
from goodhart_gap.evaluation.templates.base import (
    CLOCK,
    Draw,
    Problem,
    number,
    template,
    time_of_day,
)
from goodhart_gap.evaluation.templates.operations import (
    between,
    clock,
    earlier,
    later,
    length,
    minus,
    plus,
    told,
)
from goodhart_gap.evaluation.templates.zones import CITIES, crosses, hours, same_face


@template("time_zones", "hard")
def two_zones_apart(draw: Draw) -> Problem | None:
    (a, b, c), now = draw.several(CITIES, 3), draw.clock(9, 15, 5)
    first, second = draw.integer(2, 6), draw.integer(1, 5)
    if first == second or crosses(now, 60 * first):
        return None
    return Problem(
        f"{b} is {hours(first)} ahead of {a}, and {c} is {hours(second)} behind {b}. It is"
        f" {clock(now)} in {a}.",
        f"What time is it in {c}?",
        CLOCK,
        f"what time it is in {c}",
        time_of_day(now + 60 * (first - second)),
        (
            later(f"the time in {b}", now, 60 * first, "", hours(first)),
            earlier(f"the time in {c}", now + 60 * first, 60 * second, "", hours(second)),
        ),
        {"now": now, "first": first, "second": second},
        operands=(clock(now),),
    )


@template("time_zones", "medium")
def difference_of_two_cities(draw: Draw) -> Problem | None:
    (a, b), first, second = draw.several(CITIES, 2), draw.integer(2, 6), draw.integer(3, 6)
    if first == second:
        return None
    return Problem(
        f"{a} is {hours(first)} behind Greenwich time, and {b} is {hours(second)} ahead of it.",
        f"How many hours is {b} ahead of {a}?",
        "the number of hours",
        f"how far {b} is ahead of {a}",
        number(first + second, "hour"),
        (plus("the difference", first, second, f"the {first} hours", f"the {second} hours"),),
        {"first": first, "second": second},
        misconceptions=(f"{second} - {first}|{first} - {second}",),
    )


@template("time_zones", "medium")
def difference_on_one_side(draw: Draw) -> Problem | None:
    (a, b), first, second = draw.several(CITIES, 2), draw.integer(1, 5), draw.integer(6, 11)
    if second - first in (first, second):
        return None
    return Problem(
        f"{a} is {hours(first)} ahead of Greenwich time, and {b} is {hours(second)} ahead of it.",
        f"How many hours is {b} ahead of {a}?",
        "the number of hours",
        f"how far {b} is ahead of {a}",
        number(second - first, "hour"),
        (minus("the difference", second, first, f"the {second} hours", f"the {first} hours"),),
        {"first": first, "second": second},
        misconceptions=(f"{second} + {first}|{first} + {second}",),
    )


@template("time_zones", "hard")
def call_window(draw: Draw) -> Problem | None:
    (a, b), diff = draw.several(CITIES, 2), draw.integer(2, 6)
    opens, closes = draw.integer(8, 10) * 60, draw.integer(16, 18) * 60
    shared = closes - opens - 60 * diff
    if shared in (60 * diff, opens, closes) or shared < 60:
        return None
    return Problem(
        f"Offices in {a} and {b} both work from {clock(opens)} to {clock(closes)} on"
        " their own clocks."
        f" {b} is {hours(diff)} ahead of {a}.",
        "For how many minutes a day are both offices at work at the same time?",
        "the number of minutes",
        "for how long both offices are at work at the same time",
        DurationAnswer(kind="duration", minutes=shared, unit="minute"),
        (
            earlier(
                f"the closing of {b} on the clocks of {a}",
                closes,
                60 * diff,
                "",
                f"the {hours(diff)}",
            ),
            between(
                "the shared time",
                opens,
                closes - 60 * diff,
                f"the opening at {clock(opens)}",
                "that closing time",
            ),
        ),
        {"opens": opens, "closes": closes, "diff": diff},
        operands=(clock(opens), clock(closes)),
    )


@template("time_zones", "medium")
def broadcast_in_another_zone(draw: Draw) -> Problem | None:
    (a, b), start, diff = draw.several(CITIES, 2), draw.clock(14, 18, 15), draw.integer(2, 7)
    play = draw.choice((75, 90, 105, 135))
    end = start + play - 60 * diff
    if play == 60 * diff or same_face(end, start):
        return None
    return Problem(
        f"A match starts at {clock(start)} in {a} and lasts {length(play)}. {b} is {hours(diff)}"
        f" behind {a}.",
        f"At what time does it end on the clocks of {b}?",
        CLOCK,
        f"when it ends on the clocks of {b}",
        time_of_day(end),
        (
            earlier(f"the start in {b}", start, 60 * diff, "the start", f"the {hours(diff)}"),
            later(f"the end in {b}", start - 60 * diff, play, "that", f"{length(play)}"),
        ),
        {"start": start, "play": play, "diff": diff},
        operands=(clock(start),),
    )


@template("time_zones", "medium")
def which_day_is_it(draw: Draw) -> Problem | None:
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    (a, b), place = draw.several(CITIES, 2), draw.integer(0, 6)
    now, diff = draw.clock(17, 22), draw.integer(3, 9)
    if not crosses(now, 60 * diff):
        return None
    today, tomorrow = days[place], days[(place + 1) % 7]
    return Problem(
        f"In {a} it is {today}, {clock(now)}. {b} is {hours(diff)} ahead.",
        f"Which day of the week is it in {b}?",
        "the day of the week",
        f"which day of the week it is in {b}",
        ChoiceAnswer(kind="choice", value=tomorrow, options=days),
        (
            later(f"the clock in {b}", now, 60 * diff, "", f"the {hours(diff)}"),
            told(
                "the next day",
                f"This passes midnight, so it is the day after {today}.",
                "The count goes beyond midnight, hence a new day has begun there.",
                f"past midnight: {today} becomes {tomorrow}",
                "midnight|next day|following day|day after|12:00 am|new day",
            ),
        ),
        {"now": now, "diff": diff, "day": place},
        operands=(today,),
    )


@template("time_zones", "medium")
def which_day_was_it(draw: Draw) -> Problem | None:
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    (a, b), place = draw.several(CITIES, 2), draw.integer(0, 6)
    now, diff = draw.clock(1, 6), draw.integer(3, 10)
    if not crosses(now, -60 * diff):
        return None
    today, before = days[place], days[(place - 1) % 7]
    return Problem(
        f"In {a} it is {today}, {clock(now)}. {b} is {hours(diff)} behind.",
        f"Which day of the week is it in {b}?",
        "the day of the week",
        f"which day of the week it is in {b}",
        ChoiceAnswer(kind="choice", value=before, options=days),
        (
            earlier(f"the clock in {b}", now, 60 * diff, "", f"the {hours(diff)}"),
            told(
                "the day before",
                f"This goes back past midnight, so it is still the day before {today}.",
                "The count falls behind midnight, hence the previous day has not ended there.",
                f"past midnight: {today} becomes {before}",
                "midnight|day before|previous day|12:00 am|yesterday|still ... day",
            ),
        ),
        {"now": now, "diff": diff, "day": place},
        operands=(today,),
    )


@template("time_zones", "hard")
def earliest_new_year(draw: Draw) -> Problem | None:
    names, base = draw.several(CITIES, 4), draw.several(range(-8, 10), 4)
    if 0 in base or -1 in base or 1 in base:
        return None
    ranked = [name for _, name in sorted(zip(base, names, strict=True), reverse=True)]
    if ranked == names:
        return None
    said = ", ".join(
        f"{name} is {abs(offset)} hours {'ahead of' if offset > 0 else 'behind'} Greenwich"
        for name, offset in zip(names, base, strict=True)
    )
    first, last = ranked[0], ranked[-1]
    return Problem(
        f"{said[0].upper()}{said[1:]}.",
        "In what order does midnight reach the four cities? Begin with the first one.",
        "the names separated by commas",
        "the order in which midnight reaches the four cities",
        OrderingAnswer(kind="ordering", items=tuple(ranked)),
        (
            told(
                "compare the offsets",
                "Compare how far each city is from Greenwich, counting those behind as negative.",
                "Rank the offsets, where a city behind Greenwich has a negative number.",
                "offsets: " + " > ".join(f"{o}" for o in sorted(base, reverse=True)),
                "compar~|rank~|sort~|negative|minus|offset~|order ... by",
            ),
            told(
                "the furthest ahead comes first",
                f"The city that is furthest ahead has midnight first, which is {first},"
                f" and {last} is"
                " the last.",
                f"Midnight comes earliest where clocks are most advanced, so {first}"
                f" leads and {last}"
                " closes the row.",
                f"first {first}, last {last}",
                f"{first.lower()} & first|leads|earliest|begin~|start~",
            ),
        ),
        {"offsets": dict(zip(names, base, strict=True))},
        operands=(", ".join(names),),
    )


@template("time_zones", "hard")
def wrong_watch(draw: Draw) -> Problem | None:
    (a, b), shown, diff = draw.several(CITIES, 2), draw.clock(9, 17), draw.integer(2, 7)
    fast = draw.choice((10, 15, 20, 25, 35))
    real = shown - fast - 60 * diff
    if real < 0 or same_face(real, shown):
        return None
    return Problem(
        f"A traveller's watch still shows {a} time and is {fast} minutes fast; it reads"
        f" {clock(shown)}. {b}, where she is, is {hours(diff)} behind {a}.",
        f"What is the right time in {b}?",
        CLOCK,
        f"the right time in {b}",
        time_of_day(real),
        (
            earlier(f"the right time in {a}", shown, fast, "the reading", f"the {fast} minutes"),
            earlier(f"the right time in {b}", shown - fast, 60 * diff, "", f"the {hours(diff)}"),
        ),
        {"shown": shown, "fast": fast, "diff": diff},
        operands=(clock(shown),),
    )


@template("time_zones", "medium")
def deadline_abroad(draw: Draw) -> Problem | None:
    (a, b), due, diff = draw.several(CITIES, 2), draw.clock(15, 22, 30), draw.integer(3, 9)
    need = draw.choice((45, 75, 90, 150))
    start = due - 60 * diff - need
    if start < 0 or need == 60 * diff or same_face(start, due):
        return None
    return Problem(
        f"A report is due at {clock(due)} on the clocks of {a}. You sit in {b}, which is"
        f" {hours(diff)} behind {a}, and the report still takes {length(need)}.",
        "At what time on your own clock must you begin at the latest?",
        CLOCK,
        "when you must begin, on your own clock",
        time_of_day(start),
        (
            earlier(
                "the deadline on your clock", due, 60 * diff, "the deadline", f"the {hours(diff)}"
            ),
            earlier(
                "the latest start", due - 60 * diff, need, "that", f"the {length(need)} of work"
            ),
        ),
        {"due": due, "diff": diff, "need": need},
        operands=(clock(due),),
    )
