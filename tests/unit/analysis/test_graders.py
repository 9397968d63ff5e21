import pytest

from goodhart_gap.analysis.graders import corrected_table, grader_gate
from tests.unit.analysis.workshop import analyse, facts_about, random_outcomes


def rows(**changes):
    """graders.csv as `validate_graders` writes it, both roles, suite and gold."""
    found = []
    for role in ("execution", "explanation"):
        for where in ("suite", "gold"):
            found.append(
                {
                    "grader": "concepts",
                    "set": where,
                    "role": role,
                    "n": 200,
                    "to_accept": 100,
                    "wrongly_rejected": 0,
                    "to_reject": 100,
                    "wrongly_accepted": 0,
                    "tasks_to_accept": 20,
                    "tasks_to_reject": 20,
                    "sensitivity": 0.95,
                    "sensitivity_low": 0.9,
                    "sensitivity_high": 0.99,
                    "specificity": 0.9,
                    "specificity_low": 0.85,
                    "specificity_high": 0.94,
                    "kappa": 0.85,
                    "kappa_low": 0.8,
                    "kappa_high": 0.9,
                }
                | (changes if where == "gold" and role == "explanation" else {})
            )
    return found


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({}, "passed"),
        ({"kappa": 0.5}, "failed"),
        ({"specificity": None}, "failed"),
        ({"tasks_to_accept": 1}, "failed"),
    ],
)
def test_the_gate_is_that_of_the_validation(changes, gate):
    assert grader_gate(rows(**changes), "concepts") == gate


def test_a_grader_nobody_labelled_for_is_not_measured():
    assert grader_gate(rows(), "legacy") == "not measured"


def corrected_records(rates, graders, grader):
    return corrected_table(rates, graders, grader).to_dict("records")


def test_rates_are_corrected_for_both_kinds_of_error():
    rates = [{"rate": "understands", "estimate": 0.5}, {"rate": "dbdk", "estimate": 0.5}]
    (found,) = corrected_records(rates, rows(), "concepts")
    assert found["corrected"] == pytest.approx((0.5 + 0.9 - 1) / (0.95 + 0.9 - 1))


def test_a_grader_no_better_than_chance_corrects_nothing():
    rates = [{"rate": "understands", "estimate": 0.5}]
    (found,) = corrected_records(rates, rows(sensitivity=0.1), "concepts")
    assert found["corrected"] is None


def test_the_analysis_shows_the_graders_and_corrected_rates(tmp_path):
    outcomes = random_outcomes(tasks=4)
    text = analyse(outcomes, tmp_path, facts_about(outcomes, model="m"), graders=rows(kappa=0.5))
    assert "Gate: failed" in text
    assert "| gold | explanation | 0 of 100 | 0 of 100 | 0.95 (0.90 to 0.99) |" in text
    assert "The graders missed the accuracy required of them" in text
    assert text.count("| understands |") > 3
