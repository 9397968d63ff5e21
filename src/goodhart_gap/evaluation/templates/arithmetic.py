"""Templates of averages, recipes, units, rates, geometry and counting."""

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


@template("averages", "easy")
def average_of_three(draw: Draw) -> Problem | None:
    a, b, c = draw.several(range(40, 99), 3)
    if (a + b + c) % 3:
        return None
    return Problem(
        f"In three tests Ida scores {a}, {b} and {c} points.",
        "What is her average?",
        "the number of points",
        "her average",
        number(Fraction(a + b + c, 3), "point"),
        (
            plus("the sum", a + b, c, f"{a} and {b}", str(c)),
            over("the average", a + b + c, 3, "the sum", "three"),
        ),
        {"a": a, "b": b, "c": c},
    )


@template("averages", "medium")
def weighted_grade(draw: Draw) -> Problem | None:
    work, exam, weight = draw.integer(50, 98), draw.integer(50, 98), draw.choice((20, 30, 40))
    grade = Fraction(work * weight + exam * (100 - weight), 100)
    if work == exam or not is_short(grade, 1):
        return None
    return Problem(
        f"Homework counts {weight}% and the exam {100 - weight}%. Lea has {work} points"
        " for homework"
        f" and {exam} points in the exam.",
        "What is her final grade in points?",
        "the number of points",
        "her final grade",
        number(grade, "point"),
        (
            times("the homework's part", work, Fraction(weight, 100), str(work), f"{weight}%"),
            times(
                "the exam's part", exam, Fraction(100 - weight, 100), str(exam), f"{100 - weight}%"
            ),
            plus(
                "the grade",
                Fraction(work * weight, 100),
                Fraction(exam * (100 - weight), 100),
                "the homework's part",
                "the exam's part",
            ),
        ),
        {"work": work, "exam": exam, "weight": weight},
    )


@template("averages", "hard")
def score_still_needed(draw: Draw) -> Problem | None:
    a, b, target = draw.integer(55, 80), draw.integer(55, 80), draw.integer(66, 85)
    need = 3 * target - a - b
    if not max(a, b, target) < need <= 100 or a == b:
        return None
    return Problem(
        f"After two tests with {a} and {b} points, Max wants an average of {target} points over"
        " three tests.",
        "How many points does he need in the third test?",
        "the number of points",
        "how many points he needs in the third test",
        number(need, "point"),
        (
            times("the total he needs", target, 3, "the average", "three"),
            plus("the points so far", a, b),
            minus("the third score", 3 * target, a + b, "the total he needs", "the points so far"),
        ),
        {"a": a, "b": b, "target": target},
    )


@template("averages", "hard")
def average_of_two_groups(draw: Draw) -> Problem | None:
    m, n = draw.several(range(4, 17), 2)
    a, b = draw.several(range(20, 60), 2)
    mean = Fraction(m * a + n * b, m + n)
    if not is_short(mean, 1) or 2 * mean == a + b:
        return None
    return Problem(
        f"The {m} members of one team are {a} years old on average, the {n} members of another team"
        f" {b} years.",
        "What is the average age of both teams together?",
        "the number of years",
        "the average age of both teams together",
        number(mean, "year"),
        (
            times("the first team's years", m, a),
            times("the second team's years", n, b),
            plus("all years", m * a, n * b, "the first team's years", "the second team's years"),
            over("the average", m * a + n * b, m + n, "all years", "the number of members"),
        ),
        {"m": m, "n": n, "a": a, "b": b},
    )


@template("averages", "medium")
def without_the_largest(draw: Draw) -> Problem | None:
    a, b, c = sorted(draw.several(range(10, 60), 3))
    if (a + b) % 2 or c - b < 3:
        return None
    return Problem(
        f"A jury gives {b}, {c} and {a} points. The highest mark is struck out and the"
        " other two are"
        " averaged.",
        "What is the result?",
        "the number of points",
        "the result",
        number(Fraction(a + b, 2), "point"),
        (
            plus("the sum of the other two", a, b),
            over("the average", a + b, 2, "that sum", "two"),
        ),
        {"a": a, "b": b, "c": c},
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
