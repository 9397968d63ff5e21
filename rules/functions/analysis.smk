"""Input and params functions of analysis."""

import json
import re

PUBLISHED = [
    name
    for name, experiment in CONFIG.experiments.items()
    if isinstance(experiment, RecordedExperiment)
]


def record_of(wildcards):
    """The facts table of a recorded experiment."""
    return experiment_of(wildcards).record


def published_model(wildcards):
    """Name of the model a record is about."""
    return experiment_of(wildcards).model


def outcome_files(wildcards):
    """The per-run outcomes of every condition and seed of {experiment}."""
    experiment = experiment_of(wildcards)
    return collect(
        "<results>/{experiment}/outcomes/{condition}/seed{seed}/run{run}.json",
        experiment=wildcards.experiment,
        condition=experiment.conditions,
        seed=experiment.seeds,
        run=range(experiment.runs),
    )


def experiment_design(wildcards):
    """JSON of ExperimentDesign."""
    experiment = experiment_of(wildcards)
    return experiment.model_dump_json(include={"baseline", "conditions", "runs", "seeds"})


def graders_of(wildcards):
    """How the graders did on labelled responses, for a live experiment where there are any."""
    if live_experiment(wildcards) and any(Path("config/gold").glob("*.jsonl")):
        return "<results>/{experiment}/tables/graders.csv"
    return []


def grader_options(wildcards, input):
    """The command line options that pass the graders' accuracy, where it was measured."""
    if not input.graders:
        return ""
    return f"--graders {input.graders} --grader {experiment_of(wildcards).grading.grader}"


def confidence(wildcards):
    """Coverage of the intervals."""
    return experiment_of(wildcards).statistics.confidence


def equivalence_margin(wildcards):
    """Margin of the equivalence tests, as a share."""
    return experiment_of(wildcards).statistics.equivalence_margin


def power_target(wildcards):
    """Power at which an effect counts as detectable."""
    return experiment_of(wildcards).statistics.power_target


def baseline_of(wildcards):
    """The condition the others are compared with."""
    return experiment_of(wildcards).baseline
