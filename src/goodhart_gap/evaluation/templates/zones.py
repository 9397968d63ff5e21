"""Templates of time zones: one clock from another, at rest and after a flight.

Every offset is stated in the prompt, so nothing rests on geography.
"""

from goodhart_gap.evaluation.tasks import DurationAnswer
from goodhart_gap.evaluation.templates.base import (
    CLOCK,
    Draw,
    Problem,
    template,
    time_of_day,
)
from goodhart_gap.evaluation.templates.operations import (
    between,
    clock,
    earlier,
    later,
    length,
)

CITIES = ("Lima", "Oslo", "Cairo", "Delhi", "Tokyo", "Accra", "Quito", "Perth", "Dakar", "Seoul")


def hours(count: int) -> str:
    return f"{count} hour" + "s" * (count != 1)


def crosses(start: int, minutes: int) -> bool:
    """Whether the shift leaves the day: then the question would be about the date as well."""
    return not 0 <= start + minutes < 1440


def same_face(start: int, end: int) -> bool:
    return (start - end) % 720 == 0


@template("time_zones", "easy")
def zone_behind(draw: Draw) -> Problem | None:
    (here, there), now, diff = draw.several(CITIES, 2), draw.clock(8, 22), draw.integer(2, 9)
    if crosses(now, -60 * diff):
        return None
    return Problem(
        f"It is {clock(now)} in {here}. The clocks of {there} are {hours(diff)} behind those of"
        f" {here}.",
        f"What time is it in {there}?",
        CLOCK,
        f"what time it is in {there}",
        time_of_day(now - 60 * diff),
        (earlier(f"the time in {there}", now, 60 * diff, "", f"the {hours(diff)}"),),
        {"now": now, "diff": diff},
        operands=(clock(now), clock(now + 60 * diff)),
        misconceptions=(f"<add> ... {diff} hours|<add> the {diff}|{clock(now).lower()} + {diff}",),
    )


@template("time_zones", "easy")
def zone_ahead(draw: Draw) -> Problem | None:
    (here, there), now, diff = draw.several(CITIES, 2), draw.clock(5, 20), draw.integer(2, 9)
    if crosses(now, 60 * diff):
        return None
    return Problem(
        f"It is {clock(now)} in {here}. The clocks of {there} are {hours(diff)} ahead of those of"
        f" {here}.",
        f"What time is it in {there}?",
        CLOCK,
        f"what time it is in {there}",
        time_of_day(now + 60 * diff),
        (later(f"the time in {there}", now, 60 * diff, "", f"the {hours(diff)}"),),
        {"now": now, "diff": diff},
        operands=(clock(now), clock(now - 60 * diff)),
        misconceptions=(f"<subtract> ... {diff} hours|{clock(now).lower()} - {diff}",),
    )


@template("time_zones", "medium")
def zone_of_half_hours(draw: Draw) -> Problem | None:
    (here, there), now = draw.several(CITIES, 2), draw.clock(6, 16)
    diff = draw.choice((90, 150, 210, 270, 330, 345, 390))
    if crosses(now, diff):
        return None
    return Problem(
        f"{there} is {length(diff)} ahead of {here}. In {here} it is {clock(now)}.",
        f"What time is it in {there}?",
        CLOCK,
        f"what time it is in {there}",
        time_of_day(now + diff),
        (
            later("the time after the full hours", now, diff // 60 * 60),
            later(f"the time in {there}", now + diff // 60 * 60, diff % 60),
        ),
        {"now": now, "diff": diff},
        operands=(clock(now),),
    )


@template("time_zones", "medium")
def flight_with_zones(draw: Draw) -> Problem | None:
    (here, there), leave = draw.several(CITIES, 2), draw.clock(6, 13, 5)
    diff, flight = draw.integer(2, 6), draw.integer(95, 420, 5)
    end = leave + flight - 60 * diff
    if flight == 60 * diff or crosses(leave, flight) or end < 0 or same_face(end, leave):
        return None
    return Problem(
        f"A plane leaves {here} at {clock(leave)} local time and flies {length(flight)} to {there},"
        f" where clocks are {hours(diff)} behind those of {here}.",
        "What is the local time when it lands?",
        CLOCK,
        "the local time when it lands",
        time_of_day(end),
        (
            later(
                "the landing on the clocks of the start",
                leave,
                flight,
                "the departure",
                "the flight",
            ),
            earlier(
                "the landing on local clocks", leave + flight, 60 * diff, "", f"the {hours(diff)}"
            ),
        ),
        {"leave": leave, "flight": flight, "diff": diff},
        operands=(clock(leave),),
    )


@template("time_zones", "medium")
def flight_to_the_east(draw: Draw) -> Problem | None:
    (here, there), leave = draw.several(CITIES, 2), draw.clock(5, 11, 5)
    diff, flight = draw.integer(1, 5), draw.integer(95, 360, 5)
    end = leave + flight + 60 * diff
    if end >= 1440 or flight == 60 * diff or same_face(end, leave):
        return None
    return Problem(
        f"A plane takes off in {here} at {clock(leave)} and needs {length(flight)} to"
        f" {there}. Clocks"
        f" in {there} are {hours(diff)} ahead of {here}.",
        f"What time do the clocks in {there} show when it lands?",
        CLOCK,
        f"what the clocks in {there} show when it lands",
        time_of_day(end),
        (
            later(
                "the landing on the clocks of the start", leave, flight, "the takeoff", "the flight"
            ),
            later(
                "the landing on local clocks", leave + flight, 60 * diff, "", f"the {hours(diff)}"
            ),
        ),
        {"leave": leave, "flight": flight, "diff": diff},
        operands=(clock(leave),),
    )


@template("time_zones", "hard")
def flight_time_from_local_times(draw: Draw) -> Problem | None:
    (here, there), leave = draw.several(CITIES, 2), draw.clock(6, 10, 5)
    diff, flight = draw.integer(2, 5), draw.integer(120, 420, 5)
    land = leave + flight + 60 * diff
    if land >= 1440 or flight == 60 * diff:
        return None
    return Problem(
        f"A plane leaves {here} at {clock(leave)} local time and lands in {there} at {clock(land)}"
        f" local time. {there} is {hours(diff)} ahead of {here}.",
        "How many minutes does the flight take?",
        "the number of minutes",
        "how long the flight takes",
        DurationAnswer(kind="duration", minutes=flight, unit="minute"),
        (
            earlier(
                f"the landing on the clocks of {here}",
                land,
                60 * diff,
                "the landing",
                f"the {hours(diff)}",
            ),
            between("the flight", leave, land - 60 * diff, "the departure", "that time"),
        ),
        {"leave": leave, "land": land, "diff": diff},
        operands=(clock(leave), clock(land)),
    )
