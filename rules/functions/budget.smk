"""Input and params functions of conditions under a budget."""

import json
import re

from goodhart_gap.compression.budgeted import BASE as AS_IT_IS
from goodhart_gap.compression.settings import FORESEEN

BUDGETED = {name: each.budget for name, each in CONFIG.conditions.items() if each.budget}
BUDGETED_CONDITIONS = "|".join(map(re.escape, BUDGETED)) or "(?!)"


def is_foreseen(condition):
    """Whether its losses are foreseen, and not measured on compressed blocks."""
    return BUDGETED[condition].loss == FORESEEN


FORESEEN_CONDITIONS = "|".join(map(re.escape, filter(is_foreseen, BUDGETED))) or "(?!)"


def candidates_of(model):
    """What the sensitivity of a model is measured for: every choice of its experiments' budgets."""
    conditions = {
        condition
        for experiment in CONFIG.experiments.values()
        if experiment.model == model
        for condition in experiment.conditions
    }
    measured = (name for name in conditions & set(BUDGETED) if not is_foreseen(name))
    choices = (BUDGETED[name].choices for name in measured)
    return sorted({choice for each in choices for choice in each} - {AS_IT_IS})


def shards_of_candidates(wildcards):
    """The compressed shards of every condition that a block may become like."""
    return [
        large(f"<results>/models/{wildcards.model}/{name}/{shard}.safetensors")
        for name in candidates_of(wildcards.model)
        for shard in block_shards(wildcards)
    ]


def base_block_shards(wildcards):
    """The shards of the base that hold blocks."""
    return [
        large(f"<results>/models/{wildcards.model}/base/{shard}.safetensors")
        for shard in block_shards(wildcards)
    ]


def sensitivity_tokens(wildcards):
    """How many held-out tokens the sensitivity is measured on."""
    return model_of(wildcards).sensitivity_tokens


def losses_of_choices(wildcards):
    """The files that say what each choice costs."""
    if not is_foreseen(wildcards.condition):
        return "<results>/models/{model}/sensitivity.csv"
    return expand(
        "<results>/models/{model}/{condition}/foreseen/{shard}.csv",
        shard=block_shards(wildcards),
        allow_missing=True,
    )


def budget_settings(wildcards):
    """JSON of Budget."""
    return BUDGETED[wildcards.condition].model_dump_json()


def candidate_settings(wildcards):
    """JSON of {choice: MatrixSettings}."""
    choices = set(BUDGETED[wildcards.condition].choices) - {AS_IT_IS}
    return json.dumps(
        {name: CONFIG.conditions[name].compress.model_dump(mode="json") for name in sorted(choices)}
    )
