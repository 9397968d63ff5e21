"""Input and params functions of compression."""

import re
from goodhart_gap.models.shards import BLOCK_SHARD_PATTERN


def named(kind):
    """Regular expression of the conditions that have something of a kind, of none if none has.

    `base` is a folder beside the conditions, and is not one of them.
    """
    names = [re.escape(name) for name, each in CONFIG.conditions.items() if getattr(each, kind)]
    return "|".join(names) or "(?!)"


UNIFORM_CONDITIONS = named("compress")
COMPRESSED_CONDITIONS = named("compresses")

# What transformers expects beside the weights; copied from the base.
COMPANIONS = (
    "generation_config.json tokenizer.json tokenizer_config.json chat_template.jinja".split()
)


def allocation_settings(wildcards):
    """JSON of the part of ConditionSettings that decides what is compressed how."""
    condition = CONFIG.conditions[wildcards.condition]
    return condition.model_dump_json(exclude={"minimum_correlation"})


def fingerprints_of_block_shards(wildcards):
    """Fingerprint records of the shards that hold blocks."""
    return expand(
        "<results>/models/{model}/base/{shard}.fingerprint.json",
        shard=block_shards(wildcards),
        allow_missing=True,
    )


def compressed_shards(wildcards):
    """All compressed shards of a model under a condition."""
    folder = "<results>/models/{model}/{condition}"
    return [large(f"{folder}/{shard}.safetensors") for shard in block_shards(wildcards)]
