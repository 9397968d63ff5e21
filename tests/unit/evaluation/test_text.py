from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.evaluation.patterns import (
    VOCABULARY,
    Pattern,
    check_pattern,
    compile_pattern,
    words_of,
)
from goodhart_gap.evaluation.text import sentences, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Multiply $25 × 80%", ["multiply", "25", "*", "80", "%"]),
        ("80 percent, or 0.80", ["80", "%", "or", "0.8"]),
        ("\\( 25 \\times 0.2 = 5 \\)", ["25", "*", "0.2", "=", "5"]),
        ("\\frac{64}{0.8}", ["64", "/", "0.8"]),
        ("$1,168.00 − 42", ["1168", "-", "42"]),
        ("3 x 4 boxes", ["3", "*", "4", "boxes"]),
        ("an exam, a fax 3", ["an", "exam", "a", "fax", "3"]),
        ("2:45 PM", ["2:45", "pm"]),
        ("**two** hours", ["2", "hours"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_sentences() -> None:
    text = "First, halve it. Then:\n2 x 3 = 6\n\n1. Add 2.5 to it.\n- Stop! Why?"
    assert sentences(text) == [
        "First, halve it.",
        "Then: 2 * 3 = 6",
        "Add 2.5 to it.",
        "Stop!",
        "Why?",
    ]


@pytest.mark.parametrize(
    ("pattern", "sentence", "matches"),
    [
        ("subtract~ ... coupon", "then subtracting the 5 coupon", True),
        ("subtract~ ... coupon", "the coupon is subtracted", False),
        ("subtract~ & coupon", "the coupon is subtracted", True),
        ("subtract~ ... coupon", "subtract a b c d e f g h i coupon", False),
        ("<multiply> & 0.8", "25 * 0.8 = 20", True),
        ("<multiply> & 0.8", "25 * 0.85", False),
        ("25 * #", "25 * 0.2", True),
        ("80%|four fifths", "take four fifths of it", True),
        ("5", "15 and 50", False),
        ("add~", "adding", True),
        ("add~", "ladder", False),
    ],
)
def test_patterns(pattern: str, sentence: str, matches: bool) -> None:
    assert (compile_pattern(pattern).search(" ".join(tokens(sentence))) is not None) == matches


@pytest.mark.parametrize("pattern", ["", "a & ", "a||b", "<no such list>", "<juggle> & x"])
def test_bad_patterns(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"empty part|no word list"):
        compile_pattern(pattern)


def outcome(read: Callable[[str], Pattern | None], pattern: str) -> str:
    """What reading a pattern ends with."""
    try:
        read(pattern)
    except ValueError as error:
        return str(error)
    return "read"


PARTS = ["a", "&", "|", " ", "~", "...", "#", "$5", "(", "[", "\\", "*", "<", ">", "<odd>"]


@given(st.lists(st.sampled_from(PARTS + [f"<{name}>" for name in VOCABULARY]), max_size=8))
def test_a_pattern_that_passes_the_check_can_be_compiled(parts: list[str]) -> None:
    pattern = "".join(parts)
    assert outcome(check_pattern, pattern) == outcome(compile_pattern, pattern)


def test_words_of_a_pattern() -> None:
    assert words_of("subtract~ ... coupon|20 - 5 & price") == [
        "subtract",
        "coupon",
        "20",
        "5",
        "price",
    ]
