"""Templates of shopping and of sharing a bill."""

from fractions import Fraction

from goodhart_gap.evaluation.templates.base import DOLLARS, Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import minus, over, plus, times


@template("shopping", "easy")
def change_from_a_note(draw: Draw) -> Problem | None:
    count, price, note = draw.integer(3, 9), draw.integer(2, 9), draw.choice((50, 100))
    if not 0 < count * price < note or count == price:
        return None
    return Problem(
        f"You buy {count} notebooks at ${price} each and pay with a ${note} note.",
        "How many dollars of change do you get?",
        DOLLARS,
        "the change you get",
        number(note - count * price, "dollar"),
        (
            times("the cost", count, price, "the number of notebooks", "the price of one"),
            minus("the change", note, count * price, "the note", "the cost"),
        ),
        {"count": count, "price": price, "note": note},
    )


@template("shopping", "medium")
def two_kinds_of_ticket(draw: Draw) -> Problem | None:
    adult, child = draw.integer(9, 20), draw.integer(4, 8)
    adults, children = draw.integer(2, 6), draw.integer(2, 9)
    if len({adult, child, adults, children}) < 4 or adult * adults == child * children:
        return None
    return Problem(
        f"A zoo charges ${adult} for an adult and ${child} for a child. A group has {adults} adults"
        f" and {children} children.",
        "How many dollars does the group pay?",
        DOLLARS,
        "what the group pays",
        number(adult * adults + child * children, "dollar"),
        (
            times("the adults' fare", adult, adults, f"${adult}", f"{adults} adults"),
            times("the children's fare", child, children, f"${child}", f"{children} children"),
            plus(
                "the whole price",
                adult * adults,
                child * children,
                "the adults' fare",
                "the children's fare",
            ),
        ),
        {"adult": adult, "child": child, "adults": adults, "children": children},
    )


@template("shopping", "medium")
def three_for_two(draw: Draw) -> Problem | None:
    price, sets = draw.integer(3, 14), draw.integer(2, 7)
    if price in (3 * sets, 2 * sets):
        return None
    return Problem(
        f"A bakery sells loaves at ${price} each. Of every three loaves you buy, one is free. You"
        f" take {3 * sets} loaves home.",
        "How many dollars do you pay?",
        DOLLARS,
        "what you pay for the loaves",
        number(2 * sets * price, "dollar"),
        (
            over("the groups of three", 3 * sets, 3, "the number of loaves", "three"),
            times("the loaves you pay for", sets, 2, "the groups", "two"),
            times("the price", 2 * sets, price, "the loaves you pay for", "the price of a loaf"),
        ),
        {"price": price, "loaves": 3 * sets},
    )


@template("shopping", "medium")
def cheaper_pack(draw: Draw) -> Problem | None:
    small, large = draw.integer(3, 6), draw.integer(8, 15)
    unit_small, unit_large = draw.integer(4, 9), draw.integer(2, 6)
    if unit_small <= unit_large:
        return None
    return Problem(
        f"A pack of {small} batteries costs ${small * unit_small}, and a pack of {large}"
        " of the same"
        f" batteries costs ${large * unit_large}.",
        "By how many dollars is a battery cheaper in the large pack?",
        DOLLARS,
        "by how much a battery is cheaper in the large pack",
        number(unit_small - unit_large, "dollar"),
        (
            over(
                "the unit price in the small pack",
                small * unit_small,
                small,
                f"${small * unit_small}",
                str(small),
            ),
            over(
                "the unit price in the large pack",
                large * unit_large,
                large,
                f"${large * unit_large}",
                str(large),
            ),
            minus("the advantage", unit_small, unit_large, "the first price", "the second price"),
        ),
        {
            "small": small,
            "large": large,
            "small_price": small * unit_small,
            "large_price": large * unit_large,
        },
    )


@template("shopping", "hard")
def membership_pays(draw: Draw) -> Problem | None:
    saved, fee_visits, normal = draw.integer(2, 6), draw.integer(6, 20), draw.integer(9, 16)
    return Problem(
        f"A swim costs ${normal}. Members pay ${normal - saved} a swim, but the membership costs"
        f" ${saved * fee_visits} a year.",
        "After how many swims has the membership paid for itself?",
        "the number of swims",
        "after how many swims the membership has paid for itself",
        number(fee_visits),
        (
            minus("the saving on a swim", normal, normal - saved, "the full price", "the members'"),
            over("the swims", saved * fee_visits, saved, "the fee", "the saving"),
        ),
        {"normal": normal, "member": normal - saved, "fee": saved * fee_visits},
    )


@template("shopping", "easy")
def fruit_by_weight(draw: Draw) -> Problem | None:
    pears, apples = draw.integer(2, 6), draw.integer(2, 7)
    kilos, more = Fraction(draw.integer(3, 9), 2), draw.integer(2, 5)
    if pears == apples or kilos == more:
        return None
    return Problem(
        f"Pears cost ${pears} a kilo and apples ${apples} a kilo. You buy {float(kilos):g} kilos of"
        f" pears and {more} kilos of apples.",
        "How many dollars is that?",
        DOLLARS,
        "what the fruit costs",
        number(pears * kilos + apples * more, "dollar"),
        (
            times("the pears", pears, kilos, f"${pears}", f"{float(kilos):g} kilos"),
            times("the apples", apples, more, f"${apples}", f"{more} kilos"),
            plus("the sum", pears * kilos, apples * more, "the pears", "the apples"),
        ),
        {"pears": pears, "apples": apples, "kilos": float(kilos), "more": more},
    )
