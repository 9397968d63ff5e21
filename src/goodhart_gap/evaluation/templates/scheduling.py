"""Templates of scheduling: when to leave, to meet, to start a chain of jobs."""

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
    plus,
    told,
)


@template("scheduling", "easy")
def leave_in_time(draw: Draw) -> Problem | None:
    due, trip, early = (
        draw.clock(10, 21, 15),
        draw.integer(20, 80, 5),
        draw.choice((10, 15, 20, 30)),
    )
    if trip == early:
        return None
    return Problem(
        f"A dinner begins at {clock(due)}. The ride takes {trip} minutes, and you mean to be there"
        f" {early} minutes before it begins.",
        "When do you have to set off?",
        CLOCK,
        "when you have to set off",
        time_of_day(due - trip - early),
        (
            earlier("the arrival", due, early, "the beginning", f"the {early} minutes"),
            earlier("the departure", due - early, trip, "the arrival", f"the {trip} minutes"),
        ),
        {"due": due, "trip": trip, "early": early},
        operands=(clock(due), clock(due - trip + early)),
    )


@template("scheduling", "easy")
def meetings_in_a_row(draw: Draw) -> Problem | None:
    start, a, b = draw.clock(8, 14, 15), draw.integer(25, 80, 5), draw.integer(25, 80, 5)
    gap = draw.choice((5, 10, 15))
    if len({a, b, gap}) < 3:
        return None
    return Problem(
        f"A meeting of {a} minutes starts at {clock(start)}. After a break of {gap} minutes comes a"
        f" second meeting of {b} minutes.",
        "When is the second meeting over?",
        CLOCK,
        "when the second meeting is over",
        time_of_day(start + a + gap + b),
        (
            plus("the time of both meetings", a, b, f"{a}", f"{b} minutes"),
            plus("the whole time", a + b, gap, "this", f"the break of {gap} minutes"),
            later("the end", start, a + b + gap, "the start", "the whole time"),
        ),
        {"start": start, "a": a, "b": b, "gap": gap},
        operands=(clock(start), clock(start + a + b)),
    )


@template("scheduling", "medium")
def chain_beside_a_job(draw: Draw) -> Problem | None:
    start, a, b, c = (
        draw.integer(7, 11) * 60,
        draw.integer(1, 3),
        draw.integer(1, 4),
        draw.integer(2, 8),
    )
    if a + b == c or len({a, b, c}) < 3:
        return None
    longest = max(a + b, c)
    return Problem(
        f"Sanding takes {a} hours, and painting, which needs the sanding done, takes {b} hours."
        f" Wiring takes {c} hours and can be done at the same time by someone else. All start at"
        f" {clock(start)}.",
        "When is everything finished?",
        CLOCK,
        "when everything is finished",
        time_of_day(start + 60 * longest),
        (
            plus("the length of the chain", a, b, "the sanding", "the painting"),
            told(
                "the longer branch",
                f"Compare this with the {c} hours of wiring, since the longer branch decides.",
                "Whichever of the chain and the wiring is longer sets the end.",
                f"max({a + b}, {c}) = {longest}, the longer branch",
                "longer|longest|max|whichever|compar~|larger|later of|critical",
            ),
            later("the end", start, 60 * longest, "the start", f"the {longest} hours"),
        ),
        {"start": start, "a": a, "b": b, "c": c},
        operands=(clock(start), clock(start + 60 * (a + b + c)), clock(start + 60 * min(a + b, c))),
    )


@template("scheduling", "medium")
def common_free_time(draw: Draw) -> Problem | None:
    a1, b1 = draw.clock(8, 10, 30), draw.clock(9, 12, 30)
    a2, b2 = draw.clock(13, 15, 30), draw.clock(14, 18, 30)
    start, end = max(a1, b1), min(a2, b2)
    if a1 >= b1 or a2 >= b2:
        return None
    return Problem(
        f"Ada is free from {clock(a1)} to {clock(a2)}, and Bo is free from {clock(b1)} to"
        f" {clock(b2)}.",
        "For how many minutes are both free at the same time?",
        MINUTES,
        "how long both are free at the same time",
        in_minutes(end - start),
        (
            told(
                "the shared start",
                "The shared time starts when the later of the two becomes free, at"
                f" {clock(start)}.",
                f"Both are there from the later beginning on, {clock(start)}.",
                f"shared start: max({clock(a1)}, {clock(b1)}) = {clock(start)}",
                f"later|latest|max & {clock(start).split()[0]}|start~|begin~|free",
            ),
            told(
                "the shared end",
                f"It ends when the first of them has to go, at {clock(end)}.",
                f"It stops at the earlier end, {clock(end)}.",
                f"shared end: min({clock(a2)}, {clock(b2)}) = {clock(end)}",
                f"first of|earlier|earliest|min|leaves first & {clock(end).split()[0]}|end~",
            ),
            between("the shared time", start, end, "the shared start", "the shared end"),
        ),
        {"a1": a1, "a2": a2, "b1": b1, "b2": b2},
        operands=(clock(a1), clock(a2), clock(b1), clock(b2)),
    )


@template("scheduling", "easy")
def next_bus(draw: Draw) -> Problem | None:
    first, every, arrive = (
        draw.clock(6, 7, 5),
        draw.choice((12, 18, 20, 25, 40)),
        draw.clock(8, 10, 1),
    )
    after = (arrive - first) % every
    wait = every - after
    if after == 0 or wait in (every, 1):
        return None
    return Problem(
        f"From {clock(first)} on, a bus leaves every {every} minutes. You come to the stop at"
        f" {clock(arrive)}.",
        "How many minutes do you wait for the next bus?",
        MINUTES,
        "how long you wait for the next bus",
        in_minutes(wait),
        (
            between("the time since the first bus", first, arrive, "the first bus", "your arrival"),
            told(
                "the next departure",
                f"Divide that by the {every} minutes and round up to find the next departure.",
                f"Count on in steps of {every} minutes until you are past your arrival.",
                f"departures: multiples of {every} after {clock(first)}, the next is"
                f" {clock(arrive + wait)}",
                f"<divide>|multiple~|remainder|steps|every|interval~|next & {every}",
            ),
            told(
                "the wait",
                "The wait is the difference between that departure and your arrival.",
                "What is missing from your arrival to that departure is the wait.",
                f"wait: {clock(arrive + wait)} - {clock(arrive)} = {wait} minutes",
                "difference|<subtract>|missing|wait ... is",
            ),
        ),
        {"first": first, "every": every, "arrive": arrive},
        operands=(str(every), str(after)),
    )


@template("scheduling", "medium")
def latest_start_of_a_chain(draw: Draw) -> Problem | None:
    due, a, b = draw.integer(15, 20) * 60, draw.integer(30, 110, 5), draw.integer(30, 110, 5)
    c = draw.integer(15, 50, 5)
    if len({a, b, c}) < 3:
        return None
    return Problem(
        f"A cake must be ready at {clock(due)}. Mixing takes {c} minutes, then baking {a}"
        " minutes, then"
        f" cooling {b} minutes.",
        "When must the mixing begin at the latest?",
        CLOCK,
        "when the mixing must begin",
        time_of_day(due - a - b - c),
        (
            plus("mixing and baking", c, a, f"{c}", f"{a} minutes"),
            plus("the whole work", a + c, b, "this", f"the {b} minutes of cooling"),
            earlier("the beginning", due, a + b + c, "the time it must be ready", "the whole work"),
        ),
        {"due": due, "a": a, "b": b, "c": c},
        operands=(clock(due), clock(due + a + b + c)),
    )
