"""Settings of grading."""

from typing import Literal

from pydantic import model_validator

from goodhart_gap.evaluation.judge_settings import JudgeSettings
from goodhart_gap.settings import Settings


class GradingSettings(Settings):
    """How a response is judged."""

    grader: Literal["concepts", "legacy"] = "concepts"
    """`concepts`: typed answers and concept coverage; `legacy`: the original's rules, restated."""

    explanation: Literal["rubric", "judge"] = "rubric"
    """Who reads explanations for `concepts`: the task's rubric, or a judge model."""

    judge: JudgeSettings | None = None
    """The judge; needed with `explanation: judge`."""

    @property
    def name(self) -> str:
        """What the grader is called in outcomes and in graders.csv."""
        return "judge" if self.explanation == "judge" else self.grader

    @model_validator(mode="after")
    def _judge_is_there(self) -> "GradingSettings":
        if self.explanation == "judge" and self.judge is None:
            raise ValueError("explanation: judge needs a `judge`")
        if self.explanation == "judge" and self.grader != "concepts":
            raise ValueError(
                f"the {self.grader} grader has its own rules for explanations, and no judge"
            )
        return self
