import pytest

from goodhart_gap.evaluation.answers import grade_answer
from goodhart_gap.evaluation.tasks import (
    Answer,
    ChoiceAnswer,
    DurationAnswer,
    NumberAnswer,
    OrderingAnswer,
    SetAnswer,
    TimeAnswer,
)

DOLLARS = NumberAnswer(kind="number", value=15, unit="dollar")
MILES = NumberAnswer(kind="number", value=6.3, unit="mile", tolerance=0.051)
QUARTER_PAST_FOUR = TimeAnswer(kind="time", value="4:15 PM")
NOON = TimeAnswer(kind="time", value="12 PM")
LENGTH = DurationAnswer(kind="duration", minutes=155, unit="minute")
ROW = OrderingAnswer(kind="ordering", items=("Alice", "Bob", "Carol", "David"))
SET = SetAnswer(kind="set", items=("5",))
GRADE = NumberAnswer(kind="number", value=79, unit="point")
CUPS = NumberAnswer(kind="number", value=6, unit="cup")
THOUSAND = NumberAnswer(kind="number", value=1000, unit="dollar")
BALANCE = NumberAnswer(kind="number", value=1168, unit="dollar")
JACKET = NumberAnswer(kind="number", value=80, unit="dollar")
SHARE = NumberAnswer(kind="number", value=36, unit="dollar")
WARMTH = NumberAnswer(kind="number", value=30, unit="degree_Celsius")
ONE = TimeAnswer(kind="time", value="1:00 PM")
DAYS = ("Friday", "Saturday", "Sunday")
SATURDAY = ChoiceAnswer(kind="choice", value="Saturday", options=DAYS)
NAME = ChoiceAnswer(kind="choice", value="Dan", options=("Amy", "Ben", "Cara", "Dan"))


@pytest.mark.parametrize(
    ("answer", "text", "status"),
    [
        (DOLLARS, "Answer: 15", "correct"),
        (DOLLARS, "First 25 - 5 = 20. Then 20 - 5 = 15.\n\nAnswer: $15.00", "correct"),
        (DOLLARS, "Answer: fifteen dollars", "correct"),
        (DOLLARS, "You pay 15 dollars in the end.", "correct"),
        (DOLLARS, "The 15 is a distraction.\nAnswer: 20", "wrong"),
        (DOLLARS, "Answer: 15 euros", "wrong"),
        (DOLLARS, "Answer: 15%", "wrong"),
        (DOLLARS, "Answer: -15", "wrong"),
        (DOLLARS, "Answer: 150", "wrong"),
        (DOLLARS, "Answer: 1500 cents", "wrong"),
        (DOLLARS, "The answer is not 15.", "unparsed"),
        (DOLLARS, "Answer: 15, not 20", "correct"),
        (DOLLARS, "Answer: 20 - 5 = 15", "correct"),
        (DOLLARS, "Answer: 15 or 20", "unparsed"),
        (DOLLARS, "Answer:", "unparsed"),
        (DOLLARS, "", "unparsed"),
        (DOLLARS, "I'm sorry, I cannot determine that.", "refused"),
        (DOLLARS, "\\boxed{15}", "correct"),
        (MILES, "Answer: 6.25 miles", "correct"),
        (MILES, "Answer: 6.3 km", "wrong"),
        (MILES, "Answer: 6.2 miles", "wrong"),
        (QUARTER_PAST_FOUR, "Answer: 4:15 PM", "correct"),
        (QUARTER_PAST_FOUR, "It ends at 16:15.", "correct"),
        (QUARTER_PAST_FOUR, "It ends at 4.15 p.m.", "correct"),
        (QUARTER_PAST_FOUR, "Answer: 4:15 in the afternoon", "correct"),
        (QUARTER_PAST_FOUR, "Answer: 4:15 AM", "wrong"),
        (QUARTER_PAST_FOUR, "Answer: 4:15", "unparsed"),
        (QUARTER_PAST_FOUR, "It runs from 2:45 PM to 4:15 PM.", "correct"),
        (QUARTER_PAST_FOUR, "Answer: 2:45 PM + 1:30 = 4:15 PM", "correct"),
        (NOON, "Everything is done at noon.", "correct"),
        (NOON, "Answer: 12:00", "unparsed"),
        (NOON, "Answer: midnight", "wrong"),
        (NOON, "", "unparsed"),
        (LENGTH, "Answer: 155", "correct"),
        (LENGTH, "Answer: 2 hours and 35 minutes", "correct"),
        (LENGTH, "It lasts two hours and thirty-five minutes.", "correct"),
        (LENGTH, "Answer: 155 hours", "wrong"),
        (LENGTH, "Answer: 2 hours", "wrong"),
        (ROW, "Answer: Alice, Bob, Carol, David", "correct"),
        (ROW, "Alice > Bob > Carol > David", "correct"),
        (ROW, "David < Carol < Bob < Alice", "correct"),
        (ROW, "Answer: David, Carol, Bob, Alice", "wrong"),
        (ROW, "Answer: Alice, Bob, David", "unparsed"),
        (ROW, "Answer:\n1. Alice\n2. Bob\n3. Carol\n4. David", "correct"),
        (SET, "Answer: {5}", "correct"),
        (SET, "The only number in all three sets is 5.", "correct"),
        (SET, "Answer: 3, 4, 5", "wrong"),
        (NAME, "Dan", "correct"),
        (NAME, "Dan is the fastest, because he beat Amy.", "correct"),
        (NAME, "The fastest is Amy, although Dan beat her.", "wrong"),
        (NAME, "Answer: Amy or Dan", "unparsed"),
        (NAME, "No definitive answer can be given, although Dan beat Amy.", "refused"),
        (NAME, "Answer: not Dan", "unparsed"),
        (GRADE, "Answer: $79$", "correct"),
        (GRADE, "Answer: $ 79 $", "correct"),
        (GRADE, "Answer: $$79$$", "correct"),
        (GRADE, "Answer:\n$$\n79\n$$", "correct"),
        (GRADE, "Answer: \\(79\\)", "correct"),
        (GRADE, "Answer:\n\\[79\\]", "correct"),
        (GRADE, "Answer: $79", "wrong"),
        (CUPS, "Answer: $6$ cups", "correct"),
        (QUARTER_PAST_FOUR, "Answer: $4:15$ PM", "correct"),
        (QUARTER_PAST_FOUR, "\\boxed{4{:}15~\\text{PM}}", "correct"),
        (DOLLARS, "Answer: $20 - $5 = $15", "correct"),
        (DOLLARS, "Answer: $20-$5=$15", "correct"),
        (DOLLARS, "Answer: $\\$15$", "correct"),
        (JACKET, "Answer: $64 / 0.8 = $80", "correct"),
        (JACKET, "Answer: $64 / 0.8 = $64", "wrong"),
        (JACKET, "Answer: $x = \\frac{64}{0.8} = 80$", "correct"),
        (JACKET, "Answer: 64 / .8 = 80", "correct"),
        (MILES, "Answer: 10 / 1.6 = 6.25 miles", "correct"),
        (MILES, "Answer: 10 / 1.6 ≈ 6.3 miles", "correct"),
        (MILES, "Answer: $10 / 1.6 \\approx 6.3$ miles", "correct"),
        (MILES, "8 + 2 = 10 km\n10 / 1.6 = 6.25 miles", "correct"),
        (DOLLARS, "Answer: 15\n\nWait, that is wrong. I forgot 4, it should be $16.", "wrong"),
        (DOLLARS, "Answer: 15\n\nWait, that is wrong. Let me think.", "unparsed"),
        (DOLLARS, "Answer: 15\n\nWait, that is wrong; it should be $16.", "wrong"),
        (DOLLARS, "Answer: 15 - no wait, 16", "wrong"),
        (DOLLARS, "Answer: 20\n\nWait, that is wrong; it is $15.", "correct"),
        (DOLLARS, "You pay $15. Wait, that is wrong.", "unparsed"),
        (DOLLARS, "\\boxed{15} No wait. I forgot the coupon. Answer: 20", "wrong"),
        (DOLLARS, "\\boxed{15} No wait, it is $20.", "wrong"),
        (DOLLARS, "\\boxed{20} is before the coupon. Answer: 15", "correct"),
        (DOLLARS, "Answer: 20\n\nHence $\\boxed{15}$", "correct"),
        (DOLLARS, "Answer: $\\boxed{\\$15}$", "correct"),
        (DOLLARS, "\\boxed{15}\n\nThe answer is correct since 20 - 5 is 15.", "correct"),
        (DOLLARS, "Answer: 15\n\nThe answer is correct.", "correct"),
        (DOLLARS, "Answer: 20\n\nThe answer is fifteen.", "correct"),
        (QUARTER_PAST_FOUR, "Answer: 4:15 PM\n\nActually, it is 5:15 PM.", "wrong"),
        (NAME, "Answer: Dan\n\nWait, on reflection it is Amy.", "wrong"),
        (NAME, "Answer: Amy\n\nOn second thought, it is Dan.", "correct"),
        (NAME, "Answer: Although Dan beat Amy in the duel, Amy is the fastest", "wrong"),
        (NAME, "Dan beat Amy, but Amy remains the fastest.", "wrong"),
        (NAME, "Amy was the fastest at first, but Dan beat her, so Dan is the fastest.", "correct"),
        (NAME, "Dan is the fastest now, although Amy is the winner of the race.", "correct"),
        (NAME, "Dan is the fastest; Amy was the fastest before.", "correct"),
        (NAME, "Answer: Amy is not the fastest, Dan is", "correct"),
        (NAME, "Answer: Dan, Amy is second", "correct"),
        (NAME, "Answer: Dan, Amy", "unparsed"),
        (SATURDAY, "Today is Sunday, so in 27 days it is Saturday.", "correct"),
        (DOLLARS, "Answer: 15-20", "unparsed"),
        (DOLLARS, "Answer: 10-15", "unparsed"),
        (DOLLARS, "Answer: 15 - 20", "unparsed"),
        (DOLLARS, "Answer: $15 to $20", "unparsed"),
        (DOLLARS, "Answer: $15 or $20", "unparsed"),
        (DOLLARS, "Answer: $15 dollars", "correct"),
        (DOLLARS, "Answer: 10 to 15 dollars", "unparsed"),
        (DOLLARS, "The price drops from $20 to $15.", "correct"),
        (DOLLARS, "Answer: between 15 and 20 dollars", "unparsed"),
        (DOLLARS, "Answer: between $10 and $15", "unparsed"),
        (DOLLARS, "Answer: 15 = 20 - 5", "correct"),
        (DOLLARS, "Answer: 20 - 5", "unparsed"),
        (DOLLARS, "Answer: 15 and 20", "unparsed"),
        (DOLLARS, "Answer: $15, which is 60% of the price", "correct"),
        (DOLLARS, "Answer: a total of $15, that is 60% of the price", "correct"),
        (DOLLARS, "Answer: After the 20% discount and the $5 coupon you pay $15.", "correct"),
        (DOLLARS, "Answer: With the discount of 20% you pay $20.", "wrong"),
        (LENGTH, "Answer: 155, 165", "unparsed"),
        (LENGTH, "Answer: 155 minutes (2 hours and 35 minutes)", "correct"),
        (LENGTH, "Answer: 2 hours + 35 minutes", "correct"),
        (THOUSAND, "Answer: 1000 thousand dollars", "wrong"),
        (THOUSAND, "Answer: 1 thousand dollars", "correct"),
        (THOUSAND, "Answer: a loss of $1000", "wrong"),
        (THOUSAND, "Answer: a $1000 loss", "wrong"),
        (SHARE, "Answer: Each of the four friends pays $36.", "correct"),
        (SHARE, "Answer: Each of the four friends pays $4.", "wrong"),
        (ONE, "Answer: To arrive at 2 PM, leave at 1 PM.", "correct"),
        (ROW, "Answer: Alice, Bob, Carol, David, from shortest to tallest", "wrong"),
        (ROW, "Answer: David, Carol, Bob, Alice, from shortest to tallest", "correct"),
        (ROW, "Answer: David, Carol, Bob, Alice (shortest first)", "correct"),
        (ROW, "Answer: David (shortest), Carol, Bob, Alice (tallest)", "correct"),
        (ROW, "Answer: Alice (tallest), Bob, Carol, David (shortest)", "correct"),
        (ROW, "Answer: Alice (shortest), Bob, Carol, David (tallest)", "wrong"),
        (ONE, "Answer: You have to leave at 1 PM to arrive at 2 PM.", "correct"),
        (DOLLARS, "Answer: 15 dollars and 0 cents", "correct"),
        (ROW, "Answer: Alice, Bob, Carol, David, from tallest to shortest", "correct"),
        (
            ROW,
            "David is shorter than Carol, who is shorter than Bob, who is shorter than Alice.",
            "correct",
        ),
        (
            ROW,
            "Alice is taller than Bob, who is taller than Carol, who is taller than David.",
            "correct",
        ),
        (ROW, "Alice is shorter than Bob, Bob than Carol, Carol than David.", "wrong"),
        (
            ROW,
            "Alice, Bob, Carol, and David are the four people, but their order cannot be known.",
            "refused",
        ),
        (SET, "The number 5 is in all 3 sets.", "correct"),
        (SET, "The number 3 is in all three sets.", "wrong"),
        (SET, "Answer: five", "correct"),
        (THOUSAND, "\\boxed{1{,}000}", "correct"),
        (BALANCE, "Answer: $1\\,168$", "correct"),
        (BALANCE, "Answer: $\\$1{,}168$", "correct"),
        (THOUSAND, "Answer: 1\u202f000", "correct"),
        (BALANCE, "Answer: $1\u00a0168", "correct"),
        (WARMTH, "Answer: 30 degrees", "correct"),
        (WARMTH, "Answer: 30°", "correct"),
        (WARMTH, "Answer: $30^\\circ\\mathrm{C}$", "correct"),
        (WARMTH, "Answer: $30^{\\circ}$C", "correct"),
        (WARMTH, "\\boxed{30^\\circ\\text{F}}", "wrong"),
    ],
)
def test_status(answer: Answer, text: str, status: str) -> None:
    assert grade_answer(answer, text, truncated=False).status == status


@pytest.mark.parametrize("answer", [DOLLARS, QUARTER_PAST_FOUR, NOON, LENGTH, ROW, SET, NAME])
@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_empty_text_is_never_correct(answer: Answer, text: str) -> None:
    for truncated in (False, True):
        assert grade_answer(answer, text, truncated).status != "correct"


def test_cut_responses_count_only_what_they_committed_to() -> None:
    working = "We take 20% of 25, so the price is 20. Then we have 20 - 5 = 15"
    assert grade_answer(DOLLARS, working, truncated=True).status == "truncated"
    assert grade_answer(DOLLARS, working, truncated=False).status == "correct"
    assert grade_answer(DOLLARS, f"Answer: 15\n\n{working}", truncated=True).status == "correct"


def test_a_correction_that_was_cut_states_nothing() -> None:
    text = "Answer: 15\n\nWait, that is wrong. It is 16 and then"
    assert grade_answer(DOLLARS, text, truncated=True).status == "truncated"
