"""Input and params functions of analysis."""

import json

PUBLISHED = [
    name
    for name, experiment in CONFIG.experiments.items()
    if isinstance(experiment, RecordedExperiment)
]


def outcomes_of(experiment):
    """The per-run outcomes of every condition and seed of an experiment, in the order of Design."""
    design = CONFIG.experiments[experiment]
    return collect(
        "<results>/{experiment}/outcomes/{condition}/seed{seed}/run{run}.json",
        experiment=experiment,
        condition=design.conditions,
        seed=design.seeds,
        run=range(design.runs),
    )


def outcome_files(wildcards):
    """The per-run outcomes of {experiment}."""
    return outcomes_of(wildcards.experiment)


def design_of(experiment):
    """JSON of ExperimentDesign."""
    fields = {"baseline", "conditions", "runs", "seeds"}
    return CONFIG.experiments[experiment].model_dump_json(include=fields)


def experiment_design(wildcards):
    """JSON of the ExperimentDesign of {experiment}."""
    return design_of(wildcards.experiment)


def graders_of(wildcards):
    """How the graders did on labelled responses, for a live experiment where there are any."""
    if live_experiment(wildcards) and any(Path("config/gold").glob("*.jsonl")):
        return "<results>/{experiment}/tables/graders.csv"
    return []


def grader_options(wildcards, input):
    """The command line options that pass the graders' accuracy, where it was measured."""
    if not input.graders:
        return ""
    return f"--graders {input.graders} --grader {experiment_of(wildcards).grading.name}"


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
