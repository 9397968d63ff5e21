"""Templates of lengths, areas and volumes."""

from fractions import Fraction

from goodhart_gap.evaluation.templates.base import Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import (
    is_short,
    minus,
    over,
    plus,
    times,
)


@template("geometry", "easy")
def area_of_a_frame(draw: Draw) -> Problem | None:
    a, b, edge = draw.integer(12, 40), draw.integer(12, 40), draw.integer(1, 4)
    inner = (a - 2 * edge) * (b - 2 * edge)
    if a == b:
        return None
    return Problem(
        f"A picture frame measures {a} cm by {b} cm on the outside; its border is {edge}"
        " cm wide all"
        " around.",
        "How many square cm of picture does it show?",
        "the number of square cm",
        "the area of picture that it shows",
        number(inner),
        (
            minus("the inner length", a, 2 * edge, f"{a}", "twice the border"),
            minus("the inner width", b, 2 * edge, f"{b}", "twice the border"),
            times("the area", a - 2 * edge, b - 2 * edge, "the inner length", "the inner width"),
        ),
        {"a": a, "b": b, "edge": edge},
    )


@template("geometry", "medium")
def fence_of_a_garden(draw: Draw) -> Problem | None:
    a, b, price = draw.integer(8, 30), draw.integer(8, 30), draw.integer(3, 15)
    if a == b:
        return None
    return Problem(
        f"A garden of {a} m by {b} m gets a fence that costs ${price} a metre.",
        "How many dollars does the fence cost?",
        "the number of dollars",
        "what the fence costs",
        number(2 * (a + b) * price, "dollar"),
        (
            plus("half the perimeter", a, b, f"{a}", f"{b}"),
            times("the perimeter", a + b, 2, "this sum", "two"),
            times("the cost", 2 * (a + b), price, "the perimeter", f"${price}"),
        ),
        {"a": a, "b": b, "price": price},
    )


@template("geometry", "medium")
def tiles_on_a_floor(draw: Draw) -> Problem | None:
    across, along, tile = draw.integer(6, 20), draw.integer(6, 20), draw.choice((20, 25, 50))
    if across == along or len({across * tile, along * tile, across * along}) < 3:
        return None
    return Problem(
        f"A floor of {across * tile} cm by {along * tile} cm is laid with square tiles of"
        f" {tile} cm.",
        "How many tiles does it take?",
        "the number of tiles",
        "how many tiles it takes",
        number(across * along),
        (
            over("the tiles across", across * tile, tile, f"{across * tile}", f"{tile}"),
            over("the tiles along", along * tile, tile, f"{along * tile}", f"{tile}"),
            times("all tiles", across, along, "the tiles across", "the tiles along"),
        ),
        {"width": across * tile, "length": along * tile, "tile": tile},
    )


@template("geometry", "hard")
def box_of_water(draw: Draw) -> Problem | None:
    a, b, c = draw.integer(20, 60, 10), draw.integer(20, 50, 5), draw.integer(10, 30, 2)
    liters = Fraction(a * b * c, 1000)
    if not is_short(liters, 1):
        return None
    return Problem(
        f"An aquarium of {a} cm by {b} cm is filled {c} cm high.",
        "How many liters of water does it hold?",
        "the number of liters",
        "how many liters of water it holds",
        number(liters, "liter"),
        (
            times("the base", a, b, f"{a}", f"{b}"),
            times("the volume", a * b, c, "the base", f"the height of {c}"),
            over("the liters", a * b * c, 1000, "the volume", "1000"),
        ),
        {"a": a, "b": b, "c": c},
    )


@template("geometry", "medium")
def side_of_a_field(draw: Draw) -> Problem | None:
    width, longer = draw.integer(11, 40), draw.integer(3, 20)
    length = width + longer
    return Problem(
        f"A rectangular field has a perimeter of {2 * (width + length)} m, and one side"
        f" is {length} m"
        " long.",
        "How many square metres does it have?",
        "the number of square metres",
        "the area of the field",
        number(width * length),
        (
            over("half the perimeter", 2 * (width + length), 2, "the perimeter", "two"),
            minus("the other side", width + length, length, "half the perimeter", f"{length}"),
            times("the area", width, length, "the other side", f"{length}"),
        ),
        {"perimeter": 2 * (width + length), "length": length},
    )
