"""Templates of interest, tax and profit."""

from fractions import Fraction

from goodhart_gap.evaluation.templates.base import DOLLARS, Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import is_short, minus, over, plus, share, times


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
