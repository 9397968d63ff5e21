"""Templates of speeds and of work done together."""

from fractions import Fraction

from goodhart_gap.evaluation.templates.base import Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import (
    is_short,
    minus,
    over,
    plus,
    times,
)


@template("rates", "easy")
def distance_at_two_speeds(draw: Draw) -> Problem | None:
    slow, fast, first, second = (
        draw.integer(30, 60, 5),
        draw.integer(65, 110, 5),
        draw.integer(2, 4),
        draw.integer(2, 5),
    )
    if first == second or slow * first == fast * second:
        return None
    return Problem(
        f"A bus drives {first} hours at {slow} km an hour and then {second} hours at {fast} km an"
        " hour.",
        "How many km does it cover?",
        "the number of km",
        "how many km it covers",
        number(slow * first + fast * second, "kilometer"),
        (
            times("the slow part", slow, first, f"{slow} km", f"{first} hours"),
            times("the fast part", fast, second, f"{fast} km", f"{second} hours"),
            plus("the whole way", slow * first, fast * second, "the slow part", "the fast part"),
        ),
        {"slow": slow, "fast": fast, "first": first, "second": second},
    )


@template("rates", "hard")
def average_speed(draw: Draw) -> Problem | None:
    a, b, first, second = (
        draw.integer(40, 120, 10),
        draw.integer(40, 160, 10),
        draw.integer(1, 3),
        draw.integer(2, 4),
    )
    speed = Fraction(a + b, first + second)
    if a == b or first == second or not is_short(speed, 1):
        return None
    return Problem(
        f"A train covers {a} km in {first} hours and then {b} km in {second} hours.",
        "What is its average speed over the whole way in km an hour?",
        "the number of km an hour",
        "its average speed over the whole way",
        number(speed),
        (
            plus("the distance", a, b, f"{a}", f"{b}"),
            plus("the time", first, second, f"{first} hours", f"{second} hours"),
            over("the average speed", a + b, first + second, "the distance", "the time"),
        ),
        {"a": a, "b": b, "first": first, "second": second},
    )


@template("rates", "medium")
def catching_up(draw: Draw) -> Problem | None:
    slow, gap_rate, hours = draw.integer(4, 12), draw.integer(3, 9), draw.integer(2, 7)
    if len({slow, slow + gap_rate, gap_rate * hours, hours}) < 4:
        return None
    return Problem(
        f"A walker at {slow} km an hour is {gap_rate * hours} km ahead of a rider who does"
        f" {slow + gap_rate} km an hour on the same road.",
        "After how many hours does the rider catch up?",
        "the number of hours",
        "after how many hours the rider catches up",
        number(hours, "hour"),
        (
            minus(
                "the difference in speed",
                slow + gap_rate,
                slow,
                "the rider's speed",
                "the walker's",
            ),
            over("the time", gap_rate * hours, gap_rate, "the lead", "the difference"),
        ),
        {"slow": slow, "fast": slow + gap_rate, "lead": gap_rate * hours},
    )


@template("rates", "medium")
def printers_together(draw: Draw) -> Problem | None:
    a, b, minutes = draw.integer(8, 30), draw.integer(8, 30), draw.integer(5, 25)
    if len({a, b, minutes}) < 3:
        return None
    return Problem(
        f"One printer does {a} pages a minute and another {b}. Both work on the same job of"
        f" {(a + b) * minutes} pages.",
        "After how many minutes is the job done?",
        "the number of minutes",
        "after how many minutes the job is done",
        number(minutes, "minute"),
        (
            plus("the pages a minute", a, b, f"{a}", f"{b}"),
            over("the minutes", (a + b) * minutes, a + b, "the job", "the pages a minute"),
        ),
        {"a": a, "b": b, "job": (a + b) * minutes},
    )


@template("rates", "hard")
def filling_and_draining(draw: Draw) -> Problem | None:
    inflow, outflow, minutes = draw.integer(14, 40), draw.integer(3, 12), draw.integer(6, 30)
    if len({inflow, outflow, minutes, inflow - outflow}) < 4:
        return None
    return Problem(
        f"A basin of {(inflow - outflow) * minutes} liters is empty. {inflow} liters a"
        " minute flow in,"
        f" and {outflow} liters a minute run out.",
        "After how many minutes is it full?",
        "the number of minutes",
        "after how many minutes the basin is full",
        number(minutes, "minute"),
        (
            minus(
                "the net flow", inflow, outflow, "the inflow", f"the {outflow} liters running out"
            ),
            over(
                "the minutes",
                (inflow - outflow) * minutes,
                inflow - outflow,
                "the basin",
                "the net flow",
            ),
        ),
        {"inflow": inflow, "outflow": outflow, "volume": (inflow - outflow) * minutes},
    )


@template("rates", "easy")
def workers_and_days(draw: Draw) -> Problem | None:
    workers, days, new = draw.integer(3, 8), draw.integer(4, 12), draw.integer(2, 12)
    if new == workers or workers * days % new or workers * days // new in (workers, days, new):
        return None
    return Problem(
        f"{workers} painters need {days} days for a house, all working at the same pace. This time"
        f" there are {new} painters.",
        "How many days do they need?",
        "the number of days",
        "how many days they need",
        number(workers * days // new, "day"),
        (
            times("the work", workers, days, f"{workers} painters", f"{days} days"),
            over("the days", workers * days, new, "the work", f"{new} painters"),
        ),
        {"workers": workers, "days": days, "new": new},
    )
