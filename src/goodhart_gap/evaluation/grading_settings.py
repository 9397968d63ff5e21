"""Settings of grading."""

from typing import Literal

from goodhart_gap.settings import Settings


class GradingSettings(Settings):
    """How a response is judged."""

    grader: Literal["concepts", "legacy"] = "concepts"
    """`concepts`: typed answers and concept coverage; `legacy`: the original's rules, restated."""
