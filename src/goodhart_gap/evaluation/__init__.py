"""Evaluation: tasks, prompts, the sampler, answers, rubrics and quadrants."""
