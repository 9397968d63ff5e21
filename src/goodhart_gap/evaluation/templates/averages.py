"""Templates of averages, weighted and not."""

from fractions import Fraction

from goodhart_gap.evaluation.templates.base import Draw, Problem, number, template
from goodhart_gap.evaluation.templates.operations import (
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
