"""Input and params functions of reuse."""

import re

from goodhart_gap.compression.reuse import BASE, shards_of_origins

REUSING_CONDITIONS = (
    "|".join(re.escape(name) for name, each in CONFIG.conditions.items() if each.reuse) or "(?!)"
)


def allocations_of_reused(wildcards):
    """The allocations of the conditions that {condition} takes its modules from."""
    return [
        f"<results>/models/{wildcards.model}/{name}/allocation.json"
        for name in CONFIG.conditions[wildcards.condition].reused
        if name != BASE
    ]


def shards_of_condition(model, condition):
    """The shards that hold the blocks of a model under a condition: its own, others', the base's.

    Exactly those that some module is taken from.
    """
    settings, about = CONFIG.conditions[condition], CONFIG.models[model]
    if settings.reuse:
        places = shards_of_origins(settings, about.blocks, about.blocks_per_shard)
    else:
        folder = condition if is_compressed(condition) else "base"
        names = block_shard_names(about.blocks, about.blocks_per_shard)
        places = [(folder, shard) for shard in names]
    return [
        large(f"<results>/models/{model}/{folder}/{shard}.safetensors") for folder, shard in places
    ]


def reused_shards(wildcards):
    """The shards that {condition} of {model} is joined from."""
    return shards_of_condition(wildcards.model, wildcards.condition)
