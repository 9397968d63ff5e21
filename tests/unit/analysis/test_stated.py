"""The table of stated figures holds every figure that the published README states, and no other."""

import csv
import re

import pytest

from tests.unit.analysis.workshop import PUBLISHED, RECORDS

pytestmark = pytest.mark.skipif(
    not (PUBLISHED / "README.md").is_file(), reason=f"no published files in {PUBLISHED}"
)
CONDITIONS = ("baseline", "uniform", "selective")
NAMES = {"gaps": "gap_rate_numerator", "mean explanation length": "explanation_characters"}
THREE = re.compile(
    r"(?P<name>[A-Za-z_ ]+?) (?P<values>[\d.]+(?: %)?, [\d.]+(?: %)?, [\d.]+(?: %)?)"
)
RATIOS = re.compile(r"(\d+)/(\d+) = ([\d.]+) %")


def rows(experiment, quantity, values, subject=""):
    """A row a condition."""
    return {
        (experiment, quantity, condition, subject, value.removesuffix(" %"))
        for condition, value in zip(CONDITIONS, values, strict=True)
    }


def triple(clause):
    """The name and the three values of a clause such as `executes 13, 13, 13`."""
    found = THREE.search(clause)
    name = found["name"].strip().rpartition(": ")[2]
    return NAMES.get(name, name.lower()), found["values"].split(", ")


def of_summary(clauses):
    found = set()
    for clause in clauses:
        ratios = RATIOS.findall(clause)
        if ratios:
            name = "dbdk" if "DBDK" in clause else "gap_rate"
            for part, values in zip(
                (f"{name}_numerator", f"{name}_denominator", name),
                zip(*ratios, strict=True),
                strict=True,
            ):
                found |= rows("published-n100", part, values)
        else:
            found |= rows("published-n100", *triple(clause))
    return found


def of_tasks(text):
    found = set()
    always, _, rest = text.partition(" in all three conditions; ")
    number, size = re.search(r"(\d+)/(\d+)$", always).groups()
    for task in re.findall(r"[a-z]+_[a-z]+", always):
        found |= rows("published-n100", "dk_of_task", [number] * 3, task)
    of = re.search(r"\(of (\d+);", rest)[1]
    assert of == size
    for name, values in THREE.findall(rest.partition("(of")[0]):
        found |= rows("published-n100", "dk_of_task", values.split(", "), name.strip())
    tasks = {row[3] for row in found}
    for task in tasks:
        found |= rows("published-n100", "evaluations_of_task", [of] * 3, task)
    return found


def of_categories(clauses):
    found = set()
    for clause in clauses:
        name, values, size = re.search(r"([a-z_]+) ([\d, ]+) of (\d+)", clause).groups()
        found |= rows("published-n100", "executes_of_category", values.split(", "), name)
        found |= rows("published-n100", "evaluations_of_category", [size] * 3, name)
    return found


def of_pilot(clauses):
    found = set()
    for clause in clauses:
        same = re.search(r"identical quadrants to baseline on (\d+)/(\d+) tasks", clause)
        if same:
            for name, value in zip(("identical_quadrants", "pairs"), same.groups(), strict=True):
                found.add(("published-n20", name, "uniform", "", value))
        else:
            found |= rows("published-n20", *triple(clause))
    return found


def test_every_stated_figure_is_in_the_table_and_no_other():
    text = (PUBLISHED / "README.md").read_text().partition("to be checked")[2]
    bullets = [" ".join(part.split()) for part in text.split("\n- ")[1:]]
    summary, tasks, categories, pilot, precision = bullets
    expected = of_summary(summary.split(";"))
    expected |= of_tasks(tasks)
    expected |= of_categories(categories.split(";"))
    expected |= of_pilot(pilot.split(";"))
    error, needed = re.search(r"~(\d+) % for each condition.*N~(\d+)\+", precision).groups()
    expected |= rows("published-n100", "dbdk_standard_error", [error] * 3)
    expected.add(("published-n100", "evaluations_needed", "selective", "", needed))
    keys = ("experiment", "quantity", "condition", "subject", "stated")
    table = csv.DictReader((RECORDS / "stated.csv").read_text().splitlines())
    stated = [tuple(row[key] for key in keys) for row in table]
    assert len(stated) == len(set(stated))
    assert set(stated) == expected
