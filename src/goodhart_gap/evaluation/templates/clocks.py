"""Templates of clock times and lengths of time within one place."""

from goodhart_gap.evaluation.templates.base import (
    CLOCK,
    MINUTES,
    Draw,
    Problem,
    in_minutes,
    template,
    time_of_day,
)
from goodhart_gap.evaluation.templates.operations import (
    between,
    clock,
    earlier,
    later,
    length,
    over,
    plus,
    times,
)


@template("time", "easy")
def end_of_a_film(draw: Draw) -> Problem | None:
    start, run = draw.clock(13, 20), draw.integer(75, 175, 5)
    if run % 60 == 0 or start % 60 + run % 60 < 60:
        return None
    return Problem(
        f"A film begins at {clock(start)} and runs {length(run)}.",
        "At what time is it over?",
        CLOCK,
        "when it is over",
        time_of_day(start + run),
        (
            later("the time after the full hours", start, run // 60 * 60),
            later("the end", start + run // 60 * 60, run % 60, "", f"the {run % 60} minutes"),
        ),
        {"start": start, "run": run},
        operands=(clock(start),),
    )


@template("time", "medium")
def minutes_between(draw: Draw) -> Problem | None:
    start, span = draw.clock(8, 18), draw.integer(95, 290, 5)
    if span % 60 == 0 or (start % 60) <= (start + span) % 60:
        return None
    return Problem(
        f"A hike begins at {clock(start)} and ends at {clock(start + span)} the same day.",
        "How many minutes does it last?",
        MINUTES,
        "how many minutes it lasts",
        in_minutes(span),
        (
            between("the hours and minutes", start, start + span, "the start", "the end"),
            times("the full hours in minutes", span // 60, 60, "the hours", "60"),
            plus("all minutes", span // 60 * 60, span % 60, "these", "the remaining minutes"),
        ),
        {"start": start, "end": start + span},
        operands=(clock(start), clock(start + span)),
    )


@template("time", "easy")
def beginning_of_a_nap(draw: Draw) -> Problem | None:
    end, span = draw.clock(14, 18), draw.integer(65, 150, 5)
    return Problem(
        f"Leo wakes up at {clock(end)} after a nap of {length(span)}.",
        "When did he fall asleep?",
        CLOCK,
        "when he fell asleep",
        time_of_day(end - span),
        (earlier("the beginning", end, span, "the end", f"the {length(span)}"),),
        {"end": end, "span": span},
        operands=(clock(end), clock(end + span)),
    )


@template("time", "medium")
def laps_and_clock(draw: Draw) -> Problem | None:
    start, lap, laps = draw.clock(7, 16), draw.integer(6, 18), draw.integer(5, 14)
    if lap == laps or lap * laps % 60 == 0:
        return None
    return Problem(
        f"A runner starts at {clock(start)} and runs {laps} laps of {lap} minutes.",
        "At what time is she done?",
        CLOCK,
        "when she is done",
        time_of_day(start + lap * laps),
        (
            times("the running time", laps, lap, f"{laps} laps", f"{lap} minutes"),
            later("the end", start, lap * laps, "the start", "the running time"),
        ),
        {"start": start, "lap": lap, "laps": laps},
        operands=(clock(start),),
    )


@template("time", "medium")
def slow_clock(draw: Draw) -> Problem | None:
    hours, loss, right = draw.integer(4, 12), draw.integer(2, 5), draw.integer(6, 9) * 60
    if hours == loss:
        return None
    return Problem(
        f"A clock is set right at {clock(right)}. It loses {loss} minutes an hour.",
        f"What does it show {hours} real hours later?",
        CLOCK,
        f"what it shows {hours} real hours later",
        time_of_day(right + 60 * hours - loss * hours),
        (
            later("the real time", right, 60 * hours, "", f"the {hours} hours"),
            times("the minutes lost", hours, loss, f"{hours} hours", f"{loss} minutes"),
            earlier(
                "the time shown",
                right + 60 * hours,
                hours * loss,
                "the real time",
                "the minutes lost",
            ),
        ),
        {"right": right, "hours": hours, "loss": loss},
        operands=(clock(right), clock(right + 60 * hours + loss * hours)),
    )


@template("time", "hard")
def middle_of_a_shift(draw: Draw) -> Problem | None:
    start, half = draw.clock(6, 10), draw.integer(95, 255, 5)
    if half % 60 == 0:
        return None
    return Problem(
        f"A shift lasts from {clock(start)} to {clock(start + 2 * half)}. The break is"
        " exactly in the"
        " middle.",
        "At what time is the break?",
        CLOCK,
        "when the break is",
        time_of_day(start + half),
        (
            between("the length of the shift", start, start + 2 * half, "the start", "the end"),
            over("half of it", 2 * half, 2, "the length", "two"),
            later("the break", start, half, "the start", "half of it"),
        ),
        {"start": start, "end": start + 2 * half},
        operands=(clock(start), clock(start + 2 * half)),
    )


@template("time", "medium")
def overnight_trip(draw: Draw) -> Problem | None:
    start, span = draw.clock(19, 23), draw.integer(330, 660, 5)
    if start + span < 1500 or span % 60 == 0:
        return None
    return Problem(
        f"A night train leaves at {clock(start)} and is on its way for {length(span)}.",
        "At what time does it arrive the next day?",
        CLOCK,
        "when it arrives the next day",
        time_of_day(start + span),
        (
            later(
                "midnight",
                start,
                1440 - start,
                "",
                f"the {length(1440 - start)} that lead to midnight",
            ),
            later("the arrival", 1440, start + span - 1440, "midnight", "what is left of the trip"),
        ),
        {"start": start, "span": span},
        operands=(clock(start),),
    )


@template("time", "easy")
def total_of_practice(draw: Draw) -> Problem | None:
    days, each, extra = draw.integer(3, 7), draw.integer(20, 55, 5), draw.integer(10, 90, 5)
    if extra == each:
        return None
    return Problem(
        f"Eva practises {each} minutes on each of {days} days, and {extra} minutes more on Sunday.",
        "How many minutes is that?",
        MINUTES,
        "how many minutes she practises",
        in_minutes(each * days + extra),
        (
            times("the daily practice", days, each, f"{days} days", f"{each} minutes"),
            plus("the sum", each * days, extra, "this", f"the {extra} minutes on Sunday"),
        ),
        {"days": days, "each": each, "extra": extra},
    )
