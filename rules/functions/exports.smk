"""Input and params functions of exports."""

import re

EXPORTABLE = (
    "|".join(re.escape(name) for name in CONFIG.conditions if is_compressed(name)) or "(?!)"
)

EXPORTED = {
    "caldera": ("model.safetensors", "config.json"),
    "dense": ("model.safetensors", "config.json"),
    "compressed-tensors": (
        "model.safetensors",
        "config.json",
        "adapter/adapter_model.safetensors",
        "adapter/adapter_config.json",
    ),
    "gguf": ("model.gguf",),
}


def export_weights(wildcards):
    """The shards that the model under {condition} is made of, embeddings first."""
    embeddings = large(f"<results>/models/{wildcards.model}/base/embeddings.safetensors")
    return [embeddings, *shards_of_condition(wildcards.model, wildcards.condition)]


def exported_files(wildcards):
    """The files of an export that make up its model, the weights first."""
    return collect(
        "<results>/models/{model}/{condition}/exports/{format}/{name}",
        name=EXPORTED[wildcards.format],
        allow_missing=True,
    )
