"""Templates of percentages on prices, one after the other."""

from fractions import Fraction

from goodhart_gap.evaluation.templates.base import DOLLARS, Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import is_short, minus, over, plus, share, times


@template("percentages", "easy")
def discount_then_coupon(draw: Draw) -> Problem | None:
    price, off, coupon = draw.integer(20, 90, 5), draw.choice((10, 20, 30, 40)), draw.integer(2, 9)
    cut = Fraction(price * off, 100)
    if not is_short(cut, 1) or cut == coupon:
        return None
    return Problem(
        f"A bag has a list price of ${price}. The shop gives {off}% off, and then you hand in a"
        f" coupon worth ${coupon}.",
        "How many dollars do you pay?",
        DOLLARS,
        "what you pay",
        number(price - cut - coupon, "dollar"),
        (
            share("the discount", off, price, "the list price"),
            minus("the reduced price", price, cut, "the list price", "the discount"),
            minus("the amount to pay", price - cut, coupon, "the reduced price", "the coupon"),
        ),
        {"price": price, "off": off, "coupon": coupon},
    )


@template("percentages", "medium")
def markup_then_sale(draw: Draw) -> Problem | None:
    cost, up, down = draw.integer(40, 200, 20), draw.choice((25, 50, 75)), draw.choice((10, 20, 30))
    raised = Fraction(cost * (100 + up), 100)
    cut = raised * down / 100
    if not is_short(cut, 1):
        return None
    return Problem(
        f"A dealer buys a chair for ${cost} and marks it up by {up}%. In a sale the marked price is"
        f" lowered by {down}%.",
        "How many dollars does the chair cost in the sale?",
        DOLLARS,
        "what the chair costs in the sale",
        number(raised - cut, "dollar"),
        (
            share("the markup", up, cost, "the dealer's cost"),
            plus("the marked price", cost, raised - cost, "the dealer's cost", "the markup"),
            share("the reduction", down, raised, "the marked price"),
            minus("the sale price", raised, cut, "the marked price", "the reduction"),
        ),
        {"cost": cost, "up": up, "down": down},
    )


@template("percentages", "hard")
def price_before_cut(draw: Draw) -> Problem | None:
    old, off = draw.integer(40, 300, 10), draw.choice((10, 20, 25, 30, 40))
    now = Fraction(old * (100 - off), 100)
    if not is_short(now, 0):
        return None
    return Problem(
        f"After a reduction of {off}%, a coat costs ${int(now)}.",
        "How many dollars did it cost before the reduction?",
        DOLLARS,
        "what the coat cost before",
        number(old, "dollar"),
        (
            minus("the percentage that is left", 100, off, "100 percent", f"{off} percent"),
            over(
                "the old price",
                now,
                Fraction(100 - off, 100),
                f"${int(now)}",
                "that percentage as a decimal",
            ),
        ),
        {"now": int(now), "off": off},
    )


@template("percentages", "medium")
def part_of_a_part(draw: Draw) -> Problem | None:
    whole, first, second = (
        draw.integer(200, 900, 50),
        draw.choice((20, 30, 40, 60)),
        draw.choice((10, 25, 50)),
    )
    part = Fraction(whole * first, 100)
    if not is_short(part * second / 100, 0):
        return None
    return Problem(
        f"A school has {whole} pupils. Of these, {first}% play an instrument, and of the players"
        f" {second}% are in the orchestra.",
        "How many pupils are in the orchestra?",
        "the number of pupils",
        "how many pupils are in the orchestra",
        number(part * second / 100),
        (
            share("the players", first, whole, "all pupils"),
            share("the orchestra", second, part, "the players"),
        ),
        {"whole": whole, "first": first, "second": second},
    )


@template("percentages", "easy")
def raise_in_pay(draw: Draw) -> Problem | None:
    pay, up, bonus = draw.integer(1200, 3000, 100), draw.integer(2, 9), draw.integer(40, 150, 10)
    extra = Fraction(pay * up, 100)
    if extra == bonus:
        return None
    return Problem(
        f"A nurse earns ${pay} a month. Her pay goes up by {up}%, and from then on she also gets a"
        f" monthly allowance of ${bonus}.",
        "How many dollars does she get a month then?",
        DOLLARS,
        "what she gets a month",
        number(pay + extra + bonus, "dollar"),
        (
            share("the increase", up, pay, "her old pay"),
            plus("the new pay", pay, extra, "her old pay", "the increase"),
            plus("her income", pay + extra, bonus, "the new pay", "the allowance"),
        ),
        {"pay": pay, "up": up, "bonus": bonus},
    )


@template("percentages", "medium")
def percentage_of_change(draw: Draw) -> Problem | None:
    old, up = draw.integer(20, 200, 20), draw.choice((5, 15, 20, 25, 35, 45))
    new = Fraction(old * (100 + up), 100)
    if not is_short(new, 0):
        return None
    return Problem(
        f"Last year a club had {old} members; this year it has {int(new)}.",
        "By what percentage did it grow?",
        "the percentage",
        "by what percentage the club grew",
        number(up, "percent"),
        (
            minus("the growth", new, old, "this year's members", "last year's members"),
            over("the growth as a share", new - old, old, "the growth", "last year's number"),
            times("the percentage", Fraction(up, 100), 100, "that share", "100"),
        ),
        {"old": old, "new": int(new)},
    )
