import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.analysis.graders import IMPOSSIBLE, corrected_table, grader_gate
from goodhart_gap.evaluation.validation import corrected_rate
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


def rate(estimate, name="understands", **changes):
    """A row of rates.csv."""
    row = {"condition": "baseline", "rate": name, "label": name, "estimate": estimate, "note": ""}
    return row | {"low": estimate - 0.1, "high": estimate + 0.1} | changes


def test_rates_are_corrected_for_both_kinds_of_error():
    (found,) = corrected_records([rate(0.5), rate(0.5, "dbdk")], rows(), "concepts")
    assert found["corrected"] == pytest.approx((0.5 + 0.9 - 1) / (0.95 + 0.9 - 1))
    # The corners: a low rate by a grader that accepts much, a high one by one that misses much.
    assert found["corrected_low"] == pytest.approx((0.4 + 0.85 - 1) / (0.99 + 0.85 - 1))
    assert found["corrected_high"] == pytest.approx((0.6 + 0.94 - 1) / (0.9 + 0.94 - 1))


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_no_correction_within_the_intervals_lies_outside_the_range(shares):
    (found,) = corrected_records([rate(0.5)], rows(), "concepts")
    ends = [(0.4, 0.6), (0.9, 0.99), (0.85, 0.94)]
    inside = [low + share * (high - low) for share, (low, high) in zip(shares, ends, strict=True)]
    value = corrected_rate(*inside)
    assert found["corrected_low"] - 1e-9 <= value <= found["corrected_high"] + 1e-9


def test_a_correction_that_is_no_rate_is_not_clipped_to_one():
    """Graded rates of 70 and 67 of a hundred would both have become all."""
    changes = {"sensitivity": 0.6, "sensitivity_low": 0.55, "sensitivity_high": 0.65}
    high, less = corrected_records([rate(0.7), rate(0.67)], rows(**changes), "concepts")
    for found in (high, less):
        assert found["corrected"] is None or found["corrected"] != found["corrected"]
        assert found["note"] == IMPOSSIBLE
    assert high["corrected_low"] > less["corrected_low"]
    assert high["corrected_high"] == 1


def test_a_grader_that_may_be_no_better_than_chance_leaves_no_range():
    changes = {"sensitivity": 0.5, "sensitivity_low": 0.1}
    (found,) = corrected_records([rate(0.3)], rows(**changes), "concepts")
    assert found["corrected"] == pytest.approx(0.5)
    assert found["corrected_low"] is None
    assert found["note"] == "n/a (the grader may be no better than chance)"


def test_a_grader_no_better_than_chance_corrects_nothing():
    (found,) = corrected_records([rate(0.5)], rows(sensitivity=0.1), "concepts")
    assert found["corrected"] != found["corrected"]
    assert found["note"] == "n/a (grader no better than chance)"


def test_the_analysis_shows_the_graders_and_corrected_rates(tmp_path):
    outcomes = random_outcomes(tasks=4)
    text = analyse(outcomes, tmp_path, facts_about(outcomes, model="m"), graders=rows(kappa=0.5))
    assert "Gate: failed" in text
    assert "| gold | explanation | 0 of 100 | 0 of 100 | 0.95 (0.90 to 0.99) |" in text
    assert "The graders missed the accuracy required of them" in text
    assert text.count("| understands |") > 3
    assert "| condition | rate | as graded | corrected | range |" in text
