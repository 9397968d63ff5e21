"""Templates of units that are converted on the way."""

from fractions import Fraction

from goodhart_gap.evaluation.templates.base import Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import (
    decimal,
    is_short,
    minus,
    over,
    plus,
    times,
)


@template("units", "medium")
def miles_and_kilometers(draw: Draw) -> Problem | None:
    miles, more = draw.integer(5, 40, 5), draw.integer(3, 20)
    total = Fraction(8, 5) * miles + more
    return Problem(
        f"Count a mile as 1.6 km. A cyclist rides {miles} miles and then {more} km.",
        "How many km is that altogether?",
        "the number of km",
        "how many km that is altogether",
        number(total, "kilometer"),
        (
            times("the miles in km", miles, Fraction(8, 5), f"{miles} miles", "1.6"),
            plus("the whole way", Fraction(8, 5) * miles, more, "that", f"{more} km"),
        ),
        {"miles": miles, "more": more},
        ordered=True,
    )


@template("units", "medium")
def fahrenheit_and_warming(draw: Draw) -> Problem | None:
    celsius, more = draw.integer(5, 35, 5), draw.integer(3, 14)
    f = celsius * 9 // 5 + 32
    if more == celsius:
        return None
    return Problem(
        f"At dawn it is {f} degrees Fahrenheit. Until noon it becomes {more} degrees"
        " Celsius warmer.",
        "How many degrees Celsius is it at noon?",
        "the number of degrees Celsius",
        "the temperature at noon in Celsius",
        number(celsius + more, "degree_Celsius"),
        (
            minus("the degrees above freezing", f, 32),
            over("the degrees Celsius", f - 32, Fraction(9, 5), "that", "1.8"),
            plus("the temperature at noon", celsius, more, "that", f"{more}"),
        ),
        {"f": f, "more": more},
        ordered=True,
    )


@template("units", "easy")
def minutes_to_hours_of_work(draw: Draw) -> Problem | None:
    lessons, minutes = draw.integer(4, 16, 2), draw.integer(30, 90, 15)
    hours = Fraction(lessons * minutes, 60)
    if not is_short(hours, 1) or minutes == 60:
        return None
    return Problem(
        f"A course has {lessons} lessons of {minutes} minutes.",
        "How many hours is that in total?",
        "the number of hours",
        "how many hours that is in total",
        number(hours, "hour"),
        (
            times("the minutes", lessons, minutes, f"{lessons} lessons", f"{minutes} minutes"),
            over("the hours", lessons * minutes, 60, "the minutes", "60"),
        ),
        {"lessons": lessons, "minutes": minutes},
    )


@template("units", "medium")
def boards_from_a_beam(draw: Draw) -> Problem | None:
    piece, count, waste = draw.integer(15, 60, 5), draw.integer(4, 12), draw.integer(1, 4) * 5
    total = piece * count + waste
    if waste >= piece:
        return None
    return Problem(
        f"A beam is {decimal(Fraction(total, 100))} m long. It is cut into as many pieces"
        f" of {piece}"
        " cm as possible.",
        "How many cm are left over?",
        "the number of cm",
        "how many cm are left over",
        number(waste, "centimeter"),
        (
            times("the beam in cm", Fraction(total, 100), 100, "the length", "100"),
            times("the part used", count, piece, "the whole pieces", f"{piece}"),
            minus("the rest", total, piece * count, "the beam", "the part used"),
        ),
        {"total_cm": total, "piece": piece},
        operands=(decimal(Fraction(total, 100)), str(piece)),
    )


@template("units", "hard")
def price_per_other_unit(draw: Draw) -> Problem | None:
    grams, price, kilos = draw.choice((200, 250, 400, 500)), draw.integer(2, 9), draw.integer(2, 6)
    per_kilo = Fraction(1000, grams) * price
    if not is_short(per_kilo) or price == kilos:
        return None
    return Problem(
        f"Coffee costs ${price} for {grams} grams. An office orders {kilos} kg.",
        "How many dollars does the order cost?",
        "the number of dollars",
        "what the order costs",
        number(per_kilo * kilos, "dollar"),
        (
            over("the portions in a kg", 1000, grams, "1000 grams", f"{grams}"),
            times("the price of a kg", Fraction(1000, grams), price, "the portions", f"${price}"),
            times("the cost", per_kilo, kilos, "the price of a kg", f"{kilos}"),
        ),
        {"grams": grams, "price": price, "kilos": kilos},
    )


@template("units", "medium")
def tank_and_bucket(draw: Draw) -> Problem | None:
    bucket, count, leak = draw.integer(6, 15), draw.integer(8, 20), draw.integer(3, 30)
    if bucket == count or leak >= bucket * count:
        return None
    return Problem(
        f"A trough is filled with {count} buckets of {bucket} liters. Then {leak} liters leak out.",
        "How many ml of water are left?",
        "the number of ml",
        "how many ml of water are left",
        number((bucket * count - leak) * 1000, "milliliter"),
        (
            times("the water", count, bucket, f"{count} buckets", f"{bucket} liters"),
            minus("the water left", bucket * count, leak, "the water", f"{leak} liters"),
            times("the water in ml", bucket * count - leak, 1000, "the water left", "1000"),
        ),
        {"bucket": bucket, "count": count, "leak": leak},
    )
