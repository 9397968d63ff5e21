"""Templates of percentages, shopping and finance."""

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


@template("financial", "easy")
def simple_interest(draw: Draw) -> Problem | None:
    loan, rate, years = draw.integer(500, 4000, 100), draw.integer(2, 9), draw.integer(2, 6)
    yearly = Fraction(loan * rate, 100)
    if yearly in (rate, years):
        return None
    return Problem(
        f"Tom borrows ${loan} for {years} years and is charged {rate}% simple interest a year.",
        "How many dollars does he pay back altogether?",
        DOLLARS,
        "what Tom pays back altogether",
        number(loan + yearly * years, "dollar"),
        (
            share("the interest of one year", rate, loan, "the loan"),
            times("the whole interest", yearly, years, "the yearly interest", f"{years} years"),
            plus("the sum paid back", loan, yearly * years, "the loan", "the whole interest"),
        ),
        {"loan": loan, "rate": rate, "years": years},
    )


@template("financial", "hard")
def compound_two_years(draw: Draw) -> Problem | None:
    start, rate = draw.integer(1000, 9000, 500), draw.choice((4, 6, 10, 20))
    first = Fraction(start * (100 + rate), 100)
    second = first * rate / 100
    return Problem(
        f"You put ${start} into an account that pays {rate}% interest at the end of every year. The"
        " interest stays in the account, and you wait two years.",
        "How many dollars are then in the account?",
        DOLLARS,
        "what is in the account after two years",
        number(first + second, "dollar"),
        (
            share("the first interest", rate, start, "the deposit"),
            plus("the balance after one year", start, first - start, "the deposit", "its interest"),
            share("the second interest", rate, first, "the new balance"),
            plus("the final balance", first, second, "the balance", "the second interest"),
        ),
        {"start": start, "rate": rate},
    )


@template("financial", "easy")
def shared_bill(draw: Draw) -> Problem | None:
    bill, tip, people = draw.integer(60, 300, 10), draw.choice((10, 15, 20)), draw.integer(3, 6)
    extra = Fraction(bill * tip, 100)
    each = (bill + extra) / people
    if not is_short(each) or extra == people:
        return None
    return Problem(
        f"The meal of {people} colleagues costs ${bill}. They leave a tip of {tip}% and split"
        " everything evenly.",
        "How many dollars is that for each of them?",
        DOLLARS,
        "what each colleague pays",
        number(each, "dollar"),
        (
            share("the tip", tip, bill, "the cost of the meal"),
            plus("the whole bill", bill, extra, "the meal", "the tip"),
            over("each one's part", bill + extra, people, "the whole bill", f"{people} people"),
        ),
        {"bill": bill, "tip": tip, "people": people},
    )


@template("financial", "medium")
def profit_of_a_stall(draw: Draw) -> Problem | None:
    cost, price, count = draw.integer(3, 20), draw.integer(10, 45), draw.integer(12, 60)
    fee = draw.integer(15, 90, 5)
    if price - cost < 3 or (price - cost) * count <= fee:
        return None
    return Problem(
        f"A stall buys lamps at ${cost} apiece and sells {count} of them at ${price} apiece. The"
        f" place at the market costs ${fee}.",
        "How many dollars of profit remain?",
        DOLLARS,
        "the profit that remains",
        number((price - cost) * count - fee, "dollar"),
        (
            minus("the gain on one lamp", price, cost, "the selling price", "the buying price"),
            times("the gain on all lamps", price - cost, count, "that gain", "the number of lamps"),
            minus("the profit", (price - cost) * count, fee, "that", "the cost of the place"),
        ),
        {"cost": cost, "price": price, "count": count, "fee": fee},
    )


@template("financial", "medium")
def saving_for_a_goal(draw: Draw) -> Problem | None:
    weekly, weeks, have = draw.integer(8, 40), draw.integer(5, 26), draw.integer(30, 200, 5)
    goal = have + weekly * weeks
    return Problem(
        f"Nina has ${have} and wants a bicycle that costs ${goal}. She saves ${weekly} a week.",
        "After how many weeks can she pay for it?",
        "the number of weeks",
        "after how many weeks she can pay for it",
        number(weeks, "week"),
        (
            minus("the missing amount", goal, have, "the price", "what she has"),
            over("the weeks", goal - have, weekly, "the missing amount", "her weekly savings"),
        ),
        {"have": have, "goal": goal, "weekly": weekly},
    )


@template("financial", "hard")
def tax_on_the_gain(draw: Draw) -> Problem | None:
    paid, gain, tax = draw.integer(400, 3000, 100), draw.integer(60, 900, 20), draw.choice((15, 25))
    due = Fraction(gain * tax, 100)
    return Problem(
        f"Shares bought for ${paid} are sold for ${paid + gain}. The gain, and only the gain, is"
        f" taxed at {tax}%.",
        "How many dollars are left of the sale after tax?",
        DOLLARS,
        "what is left of the sale after tax",
        number(paid + gain - due, "dollar"),
        (
            minus("the gain", paid + gain, paid, "the selling price", "the buying price"),
            share("the tax", tax, gain, "the gain"),
            minus("the rest", paid + gain, due, "the selling price", "the tax"),
        ),
        {"paid": paid, "sold": paid + gain, "tax": tax},
    )


@template("financial", "medium")
def there_and_back_in_currency(draw: Draw) -> Problem | None:
    rate = draw.choice((Fraction(4, 5), Fraction(9, 10), Fraction(5, 4)))
    dollars, spent = draw.integer(100, 400, 20), draw.integer(20, 70, 5)
    francs = rate * dollars
    back = (francs - spent) / rate
    if not is_short(back):
        return None
    return Problem(
        f"One dollar buys {float(rate):g} francs. You change {dollars} dollars, spend"
        f" {spent} francs"
        " and change the rest back at the same rate.",
        "How many dollars do you get back?",
        DOLLARS,
        "how many dollars you get back",
        number(back, "dollar"),
        (
            times("the francs", dollars, rate, "the dollars", "the rate"),
            minus("the francs left over", francs, spent, "these francs", "what you spend"),
            over("the dollars", francs - spent, rate, "the francs left over", "the rate"),
        ),
        {"rate": float(rate), "dollars": dollars, "spent": spent},
    )


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
