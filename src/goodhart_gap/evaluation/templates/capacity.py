"""Templates of scheduling: shifts, machines, slots and orders that share something scarce."""

from goodhart_gap.evaluation.tasks import ChoiceAnswer, OrderingAnswer
from goodhart_gap.evaluation.templates.base import (
    CLOCK,
    MINUTES,
    Draw,
    Problem,
    in_minutes,
    number,
    template,
    time_of_day,
)
from goodhart_gap.evaluation.templates.operations import (
    between,
    clock,
    later,
    length,
    over,
    plus,
    times,
    told,
)


@template("scheduling", "medium")
def shifts_around_the_clock(draw: Draw) -> Problem | None:
    guards, hours, start = draw.integer(3, 6), draw.integer(2, 4), draw.integer(5, 9) * 60
    which = draw.integer(2, guards)
    if guards == which or hours == which:
        return None
    begins = start + 60 * hours * (which - 1)
    if begins >= 1440:
        return None
    return Problem(
        f"{guards} guards take turns of {hours} hours each, beginning at {clock(start)}.",
        f"At what time does turn number {which} begin?",
        CLOCK,
        f"when turn number {which} begins",
        time_of_day(begins),
        (
            times(
                "the hours before it",
                which - 1,
                hours,
                f"the {which - 1} earlier turns",
                f"{hours} hours",
            ),
            later(
                "the beginning", start, 60 * hours * (which - 1), "the first turn", "these hours"
            ),
        ),
        {"start": start, "hours": hours, "which": which, "guards": guards},
        operands=(clock(start), clock(begins + 60 * hours)),
    )


@template("scheduling", "hard")
def two_machines(draw: Draw) -> Problem | None:
    a, b, c, d = draw.several(range(15, 75, 5), 4)
    long = sorted((a, b, c, d), reverse=True)
    half = (a + b + c + d) / 2
    best = min(
        max(sum(p), a + b + c + d - sum(p))
        for p in ((a,), (b,), (c,), (d,), (a, b), (a, c), (a, d))
    )
    if best == long[0] or best != half or best in (a + b, c + d):
        return None
    return Problem(
        f"Four jobs of {a}, {b}, {c} and {d} minutes run on two equal machines, one job"
        " at a time on"
        " each.",
        "After how many minutes can all four be done at the earliest?",
        MINUTES,
        "after how many minutes all four can be done",
        in_minutes(best),
        (
            plus("all the work", a + b + c, d, "the other jobs", f"{d}"),
            told(
                "share the work evenly",
                "Divide the jobs between the two machines so that both have the same amount.",
                "Split them into two halves of equal length, one for each machine.",
                f"halves: {a + b + c + d} / 2 = {best} for each machine",
                "<divide>|half|halves|equal~|balanc~|evenly & machine~|two|halves|both",
            ),
        ),
        {"a": a, "b": b, "c": c, "d": d},
    )


@template("scheduling", "medium")
def pause_in_the_work(draw: Draw) -> Problem | None:
    start, work, pause = (
        draw.clock(7, 10, 15),
        draw.integer(150, 420, 15),
        draw.choice((30, 45, 60)),
    )
    end = start + work + pause
    return Problem(
        f"Work begins at {clock(start)} and takes {length(work)}, but a pause of {pause}"
        " minutes comes"
        " in between.",
        "When is the work done?",
        CLOCK,
        "when the work is done",
        time_of_day(end),
        (
            later("the end without the pause", start, work, "the start", f"the {length(work)}"),
            later("the end", start + work, pause, "that", f"the pause of {pause} minutes"),
        ),
        {"start": start, "work": work, "pause": pause},
        operands=(clock(start),),
    )


@template("scheduling", "easy")
def appointments_in_a_morning(draw: Draw) -> Problem | None:
    start, each, count = draw.integer(7, 9) * 60, draw.choice((15, 20, 25, 40)), draw.integer(5, 12)
    end = start + each * count
    if each == count or end % 60 == 0:
        return None
    return Problem(
        f"A doctor sees patients for {each} minutes each, one directly after the other, from"
        f" {clock(start)}.",
        f"When does patient number {count + 1} go in?",
        CLOCK,
        f"when patient number {count + 1} goes in",
        time_of_day(end),
        (
            times(
                "the minutes before",
                count,
                each,
                f"the {count} earlier patients",
                f"{each} minutes",
            ),
            later("the time", start, each * count, "the start", "these minutes"),
        ),
        {"start": start, "each": each, "patient": count + 1},
        operands=(clock(start), clock(end + each)),
    )


@template("scheduling", "easy")
def slots_in_a_window(draw: Draw) -> Problem | None:
    start, slot, count = draw.clock(8, 13, 30), draw.choice((12, 15, 20, 35)), draw.integer(6, 16)
    if slot == count:
        return None
    return Problem(
        f"A photographer works from {clock(start)} to {clock(start + slot * count)}, and"
        " a portrait takes"
        f" {slot} minutes.",
        "How many portraits fit in without pauses?",
        "the number of portraits",
        "how many portraits fit in",
        number(count),
        (
            between("the minutes there are", start, start + slot * count),
            over("the portraits", slot * count, slot, "these minutes", f"{slot}"),
        ),
        {"start": start, "slot": slot, "end": start + slot * count},
        operands=(str(slot),),
    )


@template("scheduling", "hard")
def order_of_dependent_jobs(draw: Draw) -> Problem | None:
    names = draw.several(("roof", "walls", "floor", "doors", "paint", "wires"), 4)
    a, b, c, d = names
    said = [f"the {b} after the {a}", f"the {c} after the {b}", f"the {d} after the {c}"]
    order = draw.several(said, 3)
    if order == said:
        return None
    return Problem(
        f"In a house, these rules hold: {order[0]}, {order[1]}, and {order[2]}.",
        "In what order must the four be done?",
        "the four names separated by commas",
        "the order in which the four must be done",
        OrderingAnswer(kind="ordering", items=tuple(names)),
        (
            told(
                "what comes first",
                f"Start with the {a}, since it does not have to wait for anything.",
                f"The {a} depends on nothing, therefore it is first.",
                f"first: {a}",
                f"{a} & first|start~|begin~|nothing|no rule|depends on",
            ),
            told(
                "follow the rules",
                f"Then follow the rules one by one, so that the {d} is the last.",
                f"Link each rule to the next, and the {d} comes at the end.",
                f"chain: {a} > {b} > {c} > {d}, last {d}",
                f"{d} & last|end|final~|{c} {d}",
            ),
        ),
        {"names": names},
        operands=(f"{names[3]}, {names[2]}, {names[1]}, {names[0]}",),
    )


@template("scheduling", "hard")
def shared_oven(draw: Draw) -> Problem | None:
    start, prep, bake = draw.clock(9, 14, 30), draw.integer(10, 25, 5), draw.integer(30, 50, 5)
    count = draw.integer(2, 4)
    end = start + prep + bake * count
    if bake in (prep, 30) and count == 2:
        return None
    return Problem(
        f"{count} pies are prepared one after the other, {prep} minutes each, from"
        f" {clock(start)}. There"
        f" is one oven, which takes one pie at a time for {bake} minutes; preparing goes"
        " on meanwhile.",
        "When is the last pie out of the oven?",
        CLOCK,
        "when the last pie is out of the oven",
        time_of_day(end),
        (
            later(
                "the first pie's way into the oven", start, prep, "the start", f"the {prep} minutes"
            ),
            times("the baking of all pies", count, bake, f"{count} pies", f"{bake} minutes"),
            told(
                "the oven never waits",
                "As preparing is quicker than baking, the oven is never idle, so this is added on.",
                "The oven is always busy from then on, hence only the baking counts.",
                f"{clock(start + prep)} + {bake * count} minutes = {clock(end)}, the oven"
                " being busy",
                "idle|busy|quicker|faster|shorter|waits|ready ... before|without ... gap",
            ),
        ),
        {"start": start, "prep": prep, "bake": bake, "count": count},
        operands=(clock(start), clock(start + count * (prep + bake))),
    )


@template("scheduling", "medium")
def first_to_finish(draw: Draw) -> Problem | None:
    (a, b, c), base = draw.several(("Ivo", "Mia", "Noa", "Per", "Tess"), 3), draw.clock(8, 11, 15)
    starts = [base + 5 * draw.integer(0, 12) for _ in range(3)]
    works = [draw.integer(40, 120, 5) for _ in range(3)]
    ends = [s + w for s, w in zip(starts, works, strict=True)]
    first = ends.index(min(ends))
    if len(set(ends)) < 3 or first in (starts.index(min(starts)), works.index(min(works))):
        return None
    names = (a, b, c)
    said = "; ".join(
        f"{n} starts at {clock(s)} and works {w} minutes"
        for n, s, w in zip(names, starts, works, strict=True)
    )
    return Problem(
        f"{said}.",
        "Who is done first?",
        "the name",
        "who is done first",
        ChoiceAnswer(kind="choice", value=names[first], options=names),
        (
            later("the ends", starts[0], works[0], "each start", "each one's minutes of work"),
            told(
                "the earliest end",
                "Compare the three ends and take the earliest.",
                "Whoever has the smallest of these times is first.",
                f"earliest: {clock(min(ends))}, {names[first]}",
                "compar~|earliest|smallest|soonest|min",
            ),
        ),
        {"starts": starts, "works": works, "names": list(names)},
        operands=tuple(n for n in names if n != names[first]),
    )


@template("scheduling", "medium")
def train_connection(draw: Draw) -> Problem | None:
    leave, ride, change, second = (
        draw.clock(7, 12, 1),
        draw.integer(35, 130),
        draw.integer(8, 40),
        draw.integer(20, 90),
    )
    if len({ride, change, second}) < 3:
        return None
    return Problem(
        f"Your train leaves at {clock(leave)} and rides {ride} minutes. You change trains"
        f" in {change}"
        f" minutes, and the second ride takes {second} minutes.",
        "When do you arrive?",
        CLOCK,
        "when you arrive",
        time_of_day(leave + ride + change + second),
        (
            plus("both rides", ride, second, f"{ride}", f"{second} minutes"),
            plus(
                "the whole trip",
                ride + second,
                change,
                "the rides",
                f"the {change} minutes of change",
            ),
            later("the arrival", leave, ride + change + second, "the departure", "the whole trip"),
        ),
        {"leave": leave, "ride": ride, "change": change, "second": second},
        operands=(clock(leave), clock(leave + ride + second)),
    )
