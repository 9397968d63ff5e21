"""Templates of recipes: amounts that grow with servings."""

from fractions import Fraction

from goodhart_gap.evaluation.templates.base import Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import (
    is_short,
    minus,
    over,
    times,
)


@template("recipes", "easy")
def recipe_for_more(draw: Draw) -> Problem | None:
    serves, wanted, each = draw.integer(2, 6), draw.integer(7, 15), draw.integer(15, 90, 5)
    return Problem(
        f"A soup for {serves} people takes {serves * each} grams of lentils. You cook it for"
        f" {wanted} people.",
        "How many grams of lentils do you need?",
        "the number of grams",
        "the grams of lentils you need",
        number(wanted * each, "gram"),
        (
            over("the amount for one", serves * each, serves, "the lentils", f"{serves} people"),
            times("the amount for all", each, wanted, "the amount for one", f"{wanted} people"),
        ),
        {"serves": serves, "grams": serves * each, "wanted": wanted},
    )


@template("recipes", "medium")
def recipe_scaled_and_doubled(draw: Draw) -> Problem | None:
    serves, wanted, cups = draw.integer(3, 8), draw.integer(4, 14), draw.integer(2, 9)
    amount = Fraction(cups * wanted, serves)
    if wanted == serves or not is_short(Fraction(cups, serves)) or amount == cups:
        return None
    return Problem(
        f"A dough of {cups} cups of flour is enough for {serves} rolls. You plan {wanted}"
        " rolls, and"
        " then you decide to make twice that many.",
        "How many cups of flour does that take?",
        "the number of cups",
        "the flour you need",
        number(2 * amount, "cup"),
        (
            over("the flour for one roll", cups, serves, "the flour", f"{serves} rolls"),
            times(
                "the flour as planned", Fraction(cups, serves), wanted, "that", f"{wanted} rolls"
            ),
            times("the doubled flour", amount, 2, "the planned flour", "two"),
        ),
        {"serves": serves, "wanted": wanted, "cups": cups},
    )


@template("recipes", "medium")
def limited_by_an_ingredient(draw: Draw) -> Problem | None:
    per_eggs, per_milk = draw.integer(2, 4), draw.integer(100, 250, 50)
    batches, spare = draw.integer(3, 7), draw.integer(2, 4)
    eggs, milk = per_eggs * batches, per_milk * (batches + spare)
    return Problem(
        f"One batch of pancakes takes {per_eggs} eggs and {per_milk} ml of milk. You have"
        f" {eggs} eggs"
        f" and {milk} ml of milk.",
        "How many ml of milk are left when you make as many whole batches as the eggs allow?",
        "the number of ml",
        "how much milk is left when you make as many whole batches as the eggs allow",
        number(spare * per_milk, "milliliter"),
        (
            over("the batches", eggs, per_eggs, f"{eggs} eggs", f"the {per_eggs} of a batch"),
            times("the milk used", batches, per_milk, "the batches", f"{per_milk} ml"),
            minus("the milk left", milk, batches * per_milk, "the milk there is", "the milk used"),
        ),
        {"per_eggs": per_eggs, "per_milk": per_milk, "eggs": eggs, "milk": milk},
    )


@template("recipes", "hard")
def mixing_a_drink(draw: Draw) -> Problem | None:
    syrup, water, glasses = draw.integer(1, 3), draw.integer(4, 7), draw.integer(5, 12)
    glass = (syrup + water) * draw.integer(20, 50, 10)
    amount = Fraction(glass * glasses, syrup + water) * syrup
    return Problem(
        f"Squash is mixed from {syrup} parts of syrup and {water} parts of water. You"
        f" fill {glasses}"
        f" glasses of {glass} ml.",
        "How many ml of syrup does that take?",
        "the number of ml",
        "how much syrup you need",
        number(amount, "milliliter"),
        (
            times("the whole drink", glasses, glass, f"{glasses} glasses", f"{glass} ml"),
            over("one part", glasses * glass, syrup + water, "the drink", "the number of parts"),
            times(
                "the syrup", Fraction(glass * glasses, syrup + water), syrup, "one part", f"{syrup}"
            ),
        ),
        {"syrup": syrup, "water": water, "glasses": glasses, "glass": glass},
    )


@template("recipes", "easy")
def oven_in_batches(draw: Draw) -> Problem | None:
    tray, trays, minutes = draw.integer(8, 16), draw.integer(3, 7), draw.integer(9, 18)
    return Problem(
        f"{tray * trays} biscuits are baked {tray} at a time, and each tray takes"
        f" {minutes} minutes,"
        " one after the other.",
        "How many minutes does the baking take?",
        "the number of minutes",
        "how long the baking takes",
        number(trays * minutes, "minute"),
        (
            over("the trays", tray * trays, tray, "the number of biscuits", f"{tray}"),
            times("the time", trays, minutes, "the trays", f"{minutes} minutes"),
        ),
        {"biscuits": tray * trays, "tray": tray, "minutes": minutes},
    )
