"""Input and params functions of calibration."""

import re

from goodhart_gap.models.shards import BLOCK_SHARD_PATTERN, EMBEDDINGS, preceding_shard


def models_that_keep(hessians):
    """Regular expression of the models whose Hessians are kept, or of those whose are not."""
    names = [
        re.escape(name)
        for name, model in CONFIG.models.items()
        if model.calibration.keep_hessians == hessians
    ]
    return "|".join(names) or "(?!)"


def calibration_threads(wildcards):
    """CPU threads of a calibration job."""
    return model_of(wildcards).calibration.threads


def shards_to_sample_from(wildcards):
    """All base shards where the model writes its own calibration text; none otherwise."""
    if model_of(wildcards).calibration.source != "self":
        return []
    folder = "<results>/models/{model}/base"
    return [large(f"{folder}/{shard}.safetensors") for shard in model_shards(wildcards)]


def shards_flag(wildcards):
    """The option that passes the shards, where there are any."""
    return "--shards" if shards_to_sample_from(wildcards) else ""


def calibration_text(wildcards):
    """The text file of a `file:` calibration source.

    A missing one is not asked of Snakemake: calibration_tokens says what is wrong in one sentence.
    """
    kind, _, place = model_of(wildcards).calibration.source.partition(":")
    return place if kind == "file" and Path(place).exists() else []


def text_flag(wildcards):
    """The option that declares the text file, where there is one."""
    return "--text" if calibration_text(wildcards) else ""


def what_precedes(wildcards):
    """What the first block of a shard takes its input from: embeddings, or the shard before."""
    model = model_of(wildcards)
    before = preceding_shard(wildcards.shard, model.blocks, model.blocks_per_shard)
    if before == EMBEDDINGS:
        return large("<results>/models/{model}/base/embeddings.safetensors")
    return travelling(f"<results>/models/{{model}}/calibration/activations/{before}.safetensors")


def precedes_flag(wildcards):
    """The option that passes it."""
    model = model_of(wildcards)
    before = preceding_shard(wildcards.shard, model.blocks, model.blocks_per_shard)
    return "--embeddings" if before == EMBEDDINGS else "--before"
