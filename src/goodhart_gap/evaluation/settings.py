"""Settings of sampling and of grading, which live apart so that neither makes the other stale."""

from goodhart_gap.evaluation.grading_settings import GradingSettings
from goodhart_gap.evaluation.judge_settings import JudgeApi, JudgeSampling, JudgeSettings
from goodhart_gap.evaluation.sampling_settings import SamplingSettings

__all__ = ["GradingSettings", "JudgeApi", "JudgeSampling", "JudgeSettings", "SamplingSettings"]
