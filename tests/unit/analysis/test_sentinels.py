"""No number of a document is anything but a cell, a setting or a fact.

Every number of every table is replaced by one of its own (a sentinel), which shows its place in
the table however it is rounded. Each number of the document must then be one of them; and in a
second document, whose sentinels are others, the same number of the same place must stand.
"""

import re
from itertools import count

import pytest

from goodhart_gap.analysis.analysis_document import OPTIONAL_TABLES, TABLES, analysis_context
from goodhart_gap.analysis.audit_document import audit_context
from goodhart_gap.analysis.documents import render
from goodhart_gap.analysis.paper_document import paper_context, render_paper
from goodhart_gap.analysis.quadrant_document import quadrant_context
from goodhart_gap.analysis.settings import (
    AuditDesigns,
    Design,
    ExperimentFacts,
    StatisticsSettings,
)
from tests.unit.analysis.publication import publish
from tests.unit.analysis.test_graders import rows as grader_rows
from tests.unit.analysis.workshop import RECORDS

FREE_TEXT = ("stated", "recomputed", "note", "reason", "method")
"""Text columns that are printed and may hold numbers."""

DIGITS = re.compile(r"\d[\d,]*(?:\.\d+)?")
NAME = str.maketrans("0123456789", "abcdefghij")
SPAN = 100_000
"""How many sentinels a document may need; they have six digits before the point."""


class Sentinels:
    """Gives out distinct numbers, and finds the place of a printed one."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.numbers, self.high = count(first), count(first + SPAN)
        self.places: dict[int, str] = {}

    def of(self, place: str, value, high: bool = False):
        """A number of the same type as `value` for a place; `high`: above all that are not."""
        number = next(self.high if high else self.numbers)
        assert high or number < self.first + SPAN
        self.places[number] = place
        return number if isinstance(value, int) else number + 0.25

    def replaced(self, name: str, row: int, column: str, value):
        """A cell with a sentinel in place of its number, or of each number in its text."""
        place = f"{name}, row {row}, {column}"
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float):
            # These noughts decide what is said: no change, and no such evaluation.
            kept = value == 0 and column in ("change", "denominator")
            return value if kept else self.of(place, value)
        if column in FREE_TEXT:
            return DIGITS.sub(lambda match: str(self.of(place, 1)), value)
        return value.translate(NAME)

    def table(self, name: str, rows):
        """A table with sentinels."""
        return [
            {column: self.replaced(name, place, column, value) for column, value in row.items()}
            for place, row in enumerate(rows)
        ]

    def place(self, printed: str) -> str | None:
        """The place of a printed number, None where it is no sentinel in any of our formats."""
        number = float(printed.replace(",", ""))
        for scale in (1, 100):
            for offset in (0, 0.25):
                found = number / scale - offset
                if abs(found - round(found)) < 0.06 and round(found) in self.places:
                    return self.places[round(found)]
        return None


@pytest.fixture(scope="module")
def real_tables(tmp_path_factory):
    """The tables of the record, with graders, a pilot, and what the record lacks."""
    names = ("published-n100", "published-n20")
    folder = tmp_path_factory.mktemp("tables")
    tables = publish({name: RECORDS / f"{name}.csv" for name in names}, folder).tables
    tables["pilot"] = tables["rates"]
    tables["graders"] = grader_rows()
    tables["corrected"] = [
        {"condition": "uniform", "label": "understands", "estimate": 0.5, "corrected": 0.4}
        | {"rate": "understands", "corrected_low": 0.2, "corrected_high": 0.6, "note": None}
    ]
    tables["seed_variance"] = [
        row
        | {"note": None, "mean": 0.5, "low": 0.4, "high": 0.6, "p_value": 0.3}
        | dict.fromkeys(("deviation", "deviation_of_runs", "deviation_of_seeds"), 0.1)
        for row in tables["seed_variance"]
    ]
    for row in tables["responses"]:
        row |= {"truncated": 7, "truncated_share": 0.3, "mean_tokens": 60.5, "status": "unparsed"}
    for row in tables["coverage"]:
        row["missing"] = 3
    tables["rates"][0] |= {"numerator": 0, "denominator": 0, "estimate": None, "note": "n/a (none)"}
    return tables


def settings_with(sentinels):
    """Settings whose numbers are sentinels, and thresholds that make every sentence appear."""

    def number(name, value=0.5):
        return sentinels.of(f"settings, {name}", value)

    return StatisticsSettings.model_construct(
        confidence=number("confidence"),
        equivalence_margin=number("margin"),
        minimum_clusters=sentinels.of("settings, clusters", 1, high=True),
        minimum_pairs=sentinels.of("settings, pairs", 1, high=True),
        floor_rate=sentinels.of("settings, floor", 1, high=True),
        truncation_alarm=0.1,
        power_target=number("power target"),
        power_simulations=number("simulations", 1),
        power_designs=(Design(tasks=20, runs=5),),
        primary=("dbdk", "dissociation"),
    )


def facts_with(sentinels, source, seeds):
    """Facts about an experiment whose numbers are sentinels."""

    def number(name, value):
        return sentinels.of(f"facts, {name}", value)

    return ExperimentFacts.model_construct(
        experiment="published-n100".translate(NAME),
        description="Words.",
        source=source,
        model="Qwen",
        baseline="baseline",
        conditions=("baseline", "uniform", "selective"),
        descriptions={"uniform": "Words."},
        runs=number("runs", 1),
        seeds=tuple(number("seeds", 1) for _ in range(seeds)),
        grader="concepts",
        grader_gate="passed",
        temperature=number("temperature", 0.5),
        top_p=number("top_p", 0.5),
        max_new_tokens=number("max_new_tokens", 1),
        pilot="the pilot",
        record="facts.csv",
    )


def rendered(real_tables, document, first, source, seeds):
    """A document from tables of sentinels, and the sentinels."""
    sentinels = Sentinels(first)
    tables = {name: sentinels.table(name, rows) for name, rows in real_tables.items()}
    facts, settings = facts_with(sentinels, source, seeds), settings_with(sentinels)
    if document == "QUADRANTS.md":
        context = quadrant_context(*(tables[name] for name in ("by_task", "moves", "flips")), facts)
        return render("QUADRANTS.md.jinja", context), sentinels
    if document == "AUDIT.md":
        names = ("audit", "totals", "artefacts", "headline", "never_explained")
        experiments = {row["experiment"]: facts for row in tables["headline"]}
        designs = AuditDesigns.model_construct(experiments=experiments)
        context = audit_context(*(tables[name] for name in names), designs, "stated.csv")
        return render("AUDIT.md.jinja", context), sentinels
    read = {name: tables[name] for name in (*TABLES, *OPTIONAL_TABLES)}
    parameters = sentinels.of("parameters", 1)
    context = analysis_context(read, facts, settings, parameters=parameters)
    if document == "ANALYSIS.md":
        return render("ANALYSIS.md.jinja", context), sentinels
    audits = (tables[name] for name in ("audit", "totals", "headline"))
    return render_paper(paper_context(context, *audits)), sentinels


CASES = [
    ("ANALYSIS.md", "record", 1),
    ("ANALYSIS.md", "live", 2),
    ("QUADRANTS.md", "record", 1),
    ("AUDIT.md", "record", 1),
    ("paper", "record", 1),
    ("paper", "live", 2),
]


def numbers(text):
    """Every number of a text, but for the count of weights, which has a unit of its own."""
    return DIGITS.findall(re.sub(r"[\d.,]+ (?:million|thousand)", "", text))


@pytest.mark.parametrize(("document", "source", "seeds"), CASES)
def test_every_number_is_a_cell_a_setting_or_a_fact(real_tables, document, source, seeds):
    texts, places = [], []
    for first in (200_000, 600_000):
        text, sentinels = rendered(real_tables, document, first, source, seeds)
        found = [(printed, sentinels.place(printed)) for printed in numbers(text)]
        # A rate of nothing is shown as its two counts, of which the second is 0.
        unknown = [printed for printed, place in found if place is None]
        assert unknown == ["0"] * text.count("/0 = ")
        texts.append(text)
        places.append([place for _, place in found])
    assert len(places[0]) > (50 if document != "QUADRANTS.md" else 20)
    assert places[0] == places[1]
    assert DIGITS.sub("#", texts[0]) == DIGITS.sub("#", texts[1])


@pytest.mark.parametrize(
    ("document", "tables"),
    [
        ("ANALYSIS.md", (*TABLES, "pilot", "graders")),
        ("QUADRANTS.md", ("by_task", "moves", "flips")),
        ("AUDIT.md", ("audit", "totals", "artefacts", "headline")),
        ("paper", ("rates", "comparisons", "flips", "power", "audit", "totals", "headline")),
    ],
)
def test_the_sentinels_of_every_table_are_printed(real_tables, document, tables):
    """Otherwise the test above would prove nothing about a table."""
    text, sentinels = rendered(real_tables, document, 200_000, "record", 2)
    printed = {(sentinels.place(number) or "").partition(",")[0] for number in numbers(text)}
    assert set(tables) - {"gate"} <= printed


def test_every_interval_and_p_value_of_the_comparisons_is_printed(real_tables):
    text, sentinels = rendered(real_tables, "ANALYSIS.md", 200_000, "record", 1)
    printed = {sentinels.place(number) for number in numbers(text)}
    columns = ("difference", "low", "high", "bootstrap_low", "bootstrap_high", "p_value")
    columns += ("p_adjusted", "p_permutation", "p_equivalence", "detectable", "p_mcnemar")
    for place, row in enumerate(real_tables["comparisons"]):
        for column in (*columns, "p_mcnemar_clustered", "gained", "lost"):
            if row[column]:
                assert f"comparisons, row {place}, {column}" in printed, (place, column)


def test_a_number_typed_into_a_template_would_be_found(real_tables):
    _, sentinels = rendered(real_tables, "ANALYSIS.md", 200_000, "record", 1)
    for typed in ("9.3", "8.3", "0.900", "24", "67", "95", "1,000"):
        assert sentinels.place(typed) is None
