"""Input and params functions of sweeps over blocks and bits."""

from goodhart_gap.analysis.sweep_settings import ProfileFacts
from goodhart_gap.config.sweeps import compressed_by, sweep_facts


def facts_of_sweep(wildcards):
    """JSON of SweepFacts of {experiment}."""
    return sweep_facts(CONFIG, wildcards.experiment).model_dump_json()


def profiled_condition(wildcards):
    """The compressed condition whose blocks a sensitivity experiment profiles: its first."""
    names = experiment_of(wildcards).conditions
    return compressed_by(CONFIG, names)[0]


def facts_of_profile(wildcards):
    """JSON of ProfileFacts of {experiment}."""
    statistics = experiment_of(wildcards).statistics
    return ProfileFacts(
        sweep=sweep_facts(CONFIG, wildcards.experiment),
        condition=profiled_condition(wildcards),
        resamples=statistics.bootstrap_resamples,
        seed=statistics.seed,
    ).model_dump_json()


def changed_conditions(wildcards):
    """The conditions of {experiment} that are not the base, reused ones included."""
    names = experiment_of(wildcards).conditions
    own = [name for name in names if is_compressed(name)]
    return list(dict.fromkeys([*own, *compressed_by(CONFIG, names)]))


def of_changed_conditions(name):
    """Return an input function for a file of every condition that is not the base."""

    def paths(wildcards):
        model = experiment_of(wildcards).model
        return [
            f"<results>/models/{model}/{condition}/{name}"
            for condition in changed_conditions(wildcards)
        ]

    return paths


def base_shards(wildcards):
    """The block shards of the base of {model}."""
    return [
        large(f"<results>/models/{wildcards.model}/base/{shard}.safetensors")
        for shard in block_shards(wildcards)
    ]


def profile_of(wildcards):
    """The profile of the condition that {experiment} is about."""
    model = experiment_of(wildcards).model
    return f"<results>/models/{model}/{profiled_condition(wildcards)}/profile.csv"


def sensitivity_of(wildcards):
    """The model's sensitivity, where it was measured for the condition profiled."""
    if profiled_condition(wildcards) in candidates_of(experiment_of(wildcards).model):
        return f"<results>/models/{experiment_of(wildcards).model}/sensitivity.csv"
    return []


def sensitivity_flag(wildcards):
    """The option that passes the sensitivity, where there is one."""
    return "--sensitivity" if sensitivity_of(wildcards) else ""


def profile_settings(wildcards):
    """JSON of ProfileSettings."""
    return CONFIG.models[wildcards.model].profile.model_dump_json()


def published_table(name):
    """Return an input function for a table of the recorded experiment shown beside a sweep."""

    def path(wildcards):
        published = experiment_of(wildcards).pilot
        return f"<results>/{published}/tables/{name}.csv" if published else []

    return path


def published_options(wildcards, input):
    """The command line options that pass the tables of the recorded experiment."""
    if not input.published_rates:
        return ""
    return (
        f"--published-rates {input.published_rates}"
        f" --published-comparisons {input.published_comparisons}"
    )
