"""Templates of counting without listing."""

from goodhart_gap.evaluation.templates.base import Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import (
    minus,
    over,
    plus,
    times,
)


@template("counting", "easy")
def outfits(draw: Draw) -> Problem | None:
    shirts, trousers, hats = draw.several(range(2, 9), 3)
    return Problem(
        f"Ben has {shirts} shirts, {trousers} pairs of trousers and {hats} hats, and wears one of"
        " each.",
        "How many different outfits can he put together?",
        "the number of outfits",
        "how many different outfits there are",
        number(shirts * trousers * hats),
        (
            times("the pairs", shirts, trousers, f"{shirts} shirts", f"{trousers} trousers"),
            times("the outfits", shirts * trousers, hats, "the pairs", f"{hats} hats"),
        ),
        {"shirts": shirts, "trousers": trousers, "hats": hats},
    )


@template("counting", "medium")
def handshakes(draw: Draw) -> Problem | None:
    people = draw.integer(5, 40)
    return Problem(
        f"{people} people meet, and everybody shakes hands once with everybody else.",
        "How many handshakes are there?",
        "the number of handshakes",
        "how many handshakes there are",
        number(people * (people - 1) // 2),
        (
            times(
                "the hands given",
                people,
                people - 1,
                f"{people} people",
                f"the {people - 1} others",
            ),
            over("the handshakes", people * (people - 1), 2, "that", "two"),
        ),
        {"people": people},
    )


@template("counting", "medium")
def seats_in_growing_rows(draw: Draw) -> Problem | None:
    first, more, rows = draw.integer(8, 20), draw.integer(2, 4), draw.integer(5, 9)
    last = first + more * (rows - 1)
    if (first + last) * rows % 2:
        return None
    return Problem(
        f"A theatre has {rows} rows. The first row has {first} seats, and every row has"
        f" {more} seats"
        " more than the one before it.",
        "How many seats are in the last row?",
        "the number of seats",
        "how many seats are in the last row",
        number(last),
        (
            times("the seats gained", rows - 1, more, f"the {rows - 1} further rows", f"{more}"),
            plus(
                "the last row",
                first,
                more * (rows - 1),
                f"the {first} of the first row",
                "the seats gained",
            ),
        ),
        {"first": first, "more": more, "rows": rows},
    )


@template("counting", "hard")
def either_language(draw: Draw) -> Problem | None:
    both, french, german, neither = (
        draw.integer(3, 12),
        draw.integer(8, 30),
        draw.integer(8, 30),
        draw.integer(2, 15),
    )
    f, g = french + both, german + both
    if f == g:
        return None
    return Problem(
        f"In a class {f} pupils learn French, {g} learn German, {both} of them learn both, and"
        f" {neither} learn neither.",
        "How many pupils are in the class?",
        "the number of pupils",
        "how many pupils are in the class",
        number(f + g - both + neither),
        (
            plus("the two lists", f, g, f"{f}", f"{g}"),
            minus("those who learn a language", f + g, both, "this", f"the {both} counted twice"),
            plus("the class", f + g - both, neither, "these", f"the {neither} without a language"),
        ),
        {"french": f, "german": g, "both": both, "neither": neither},
    )


@template("counting", "medium")
def legs_in_a_yard(draw: Draw) -> Problem | None:
    hens, goats, away = draw.integer(5, 20), draw.integer(3, 15), draw.integer(2, 4)
    if len({hens, goats, away}) < 3 or goats <= away or 2 * hens == 4 * (goats - away):
        return None
    return Problem(
        f"A yard has {hens} hens and {goats} goats. Then {away} of the goats are led away.",
        "How many legs are in the yard now?",
        "the number of legs",
        "how many legs are in the yard",
        number(2 * hens + 4 * (goats - away)),
        (
            minus("the goats that stay", goats, away, f"{goats}", f"{away}"),
            times("the goats' legs", goats - away, 4, "the goats that stay", "four legs"),
            times("the hens' legs", hens, 2, f"{hens} hens", "two legs"),
            plus("all legs", 4 * (goats - away), 2 * hens, "the goats' legs", "the hens' legs"),
        ),
        {"hens": hens, "goats": goats, "away": away},
    )
