"""A sample's seconds become the whole's by stated multiplicities only."""

import pytest
from benchmarks.extrapolation import Generation, largest_change, weighted


def test_two_cuts_of_a_response_tell_its_start_from_its_tokens() -> None:
    found = Generation.between((2, 0.7), (12, 1.7))
    assert found.token_s == pytest.approx(0.1)
    assert found.start_s == pytest.approx(0.5)
    assert found.seconds(3, 100) == pytest.approx(11.5)


def test_equal_cuts_tell_nothing() -> None:
    with pytest.raises(ValueError, match="not over 4"):
        Generation.between((4, 1.0), (4, 2.0))


def test_a_model_that_is_compressed_in_part_lies_between() -> None:
    base, slow = Generation(1.0, 0.1), Generation(2.0, 0.5)
    assert base.partly(slow, 0.0) == base
    assert base.partly(slow, 1.0) == slow
    assert base.partly(slow, 0.25).token_s == pytest.approx(0.2)


def test_every_kind_that_is_counted_must_have_been_measured() -> None:
    assert weighted({"a": 2.0, "b": 3.0}, {"a": 4}) == 8.0
    with pytest.raises(KeyError):
        weighted({"a": 2.0}, {"a": 4, "b": 1})


def test_the_largest_change_is_relative_to_the_smaller() -> None:
    before, after = {"x": 2.0, "y": 10.0, "old": 1.0}, {"x": 1.6, "y": 11.0, "new": 5.0}
    assert largest_change(before, after) == ("x", pytest.approx(0.25))
    assert largest_change(after, before) == ("x", pytest.approx(0.25))
    with pytest.raises(ValueError, match="in common"):
        largest_change({"a": 1.0}, {"b": 1.0})
