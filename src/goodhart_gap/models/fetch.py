"""Write a base checkpoint in our layout: configuration and tokenizer once, weights by shard."""

import logging
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import write_json
from goodhart_gap.models.contents import Contents, write_contents
from goodhart_gap.models.fingerprints import fingerprint_shard
from goodhart_gap.models.settings import ModelSettings
from goodhart_gap.models.shards import shard_of
from goodhart_gap.models.sources import Source

log = logging.getLogger(__name__)

METADATA_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "weights.json",
)


def fetch_metadata(source: Source, settings: ModelSettings, folder: Path) -> None:
    """Write METADATA_FILES to `folder`, having checked that the model fits `settings` and us.

    All but weights.json (see `goodhart_gap.models.contents`) are as transformers writes them.

    Raises GoodhartError for another number of blocks, an architecture with a module that cannot
    be placed, a missing tokenizer or chat template.
    """
    # Only here: transformers takes seconds to import, and jobs that copy weights need none of it.
    from goodhart_gap.models.anatomy import find_anatomy
    from goodhart_gap.models.skeleton import empty_model, weight_names

    config = source.config()
    check_blocks(config, settings, source.label)
    config.dtype = getattr(torch, settings.dtype)
    model = empty_model(config)
    find_anatomy(model)
    config.architectures = [type(model).__name__]
    stored = {name: list(model.state_dict()[name].shape) for name in weight_names(model)}
    write_contents(folder / "weights.json", Contents(config.architectures[0], stored))
    tokenizer = source.tokenizer()
    if not isinstance(tokenizer.chat_template, str):
        raise GoodhartError(
            f"{source.label}: the tokenizer has no chat template, so prompts cannot be put; use an "
            "instruct model."
        )
    config.save_pretrained(folder)
    generation = source.generation_config()
    generation._from_model_config = False  # ours from now on, not to be derived again
    generation.save_pretrained(folder)
    for trace_of_loading in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(trace_of_loading, None)
    tokenizer.save_pretrained(folder)
    missing = [name for name in METADATA_FILES if not (folder / name).exists()]
    if missing:
        raise GoodhartError(
            f"{source.label}: transformers wrote no {', '.join(missing)}; use a model with a fast "
            "tokenizer."
        )
    log.info("%s: %s with %d blocks", source.label, config.architectures[0], settings.blocks)


def check_blocks(config: Any, settings: ModelSettings, label: str) -> None:
    """Raise GoodhartError unless the checkpoint has the number of blocks that `settings` says."""
    blocks = getattr(config, "num_hidden_layers", None)
    if blocks != settings.blocks:
        raise GoodhartError(
            f"{label}: has {blocks} blocks, but the config's `blocks` says {settings.blocks}; "
            f"set `blocks: {blocks}`."
        )


def fetch_shard(
    source: Source,
    settings: ModelSettings,
    contents: Contents,
    shard: str,
    weights: Path,
    record: Path,
) -> dict[str, Any]:
    """Write one shard's weights in the dtype of `settings`; write and return their fingerprints.

    `contents` says which weights the whole checkpoint has.
    Raises GoodhartError when the source lacks a weight, or one is not finite.
    """
    shapes = contents.shapes
    wanted = sorted(
        name
        for name in shapes
        if shard_of(name, settings.blocks, settings.blocks_per_shard) == shard
    )
    tensors = source.read(wanted)
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise GoodhartError(
            f"{source.label}: has no weight {missing[0]} (and {len(missing) - 1} more), which "
            f"{contents.architecture} needs; use a complete checkpoint."
        )
    dtype = getattr(torch, settings.dtype)
    for name, tensor in tensors.items():
        if list(tensor.shape) != shapes[name]:
            raise GoodhartError(
                f"{source.label}: {name} has shape {list(tensor.shape)}, but config.json implies "
                f"{shapes[name]}; the checkpoint's parts do not belong together."
            )
        tensors[name] = tensor.to(dtype).contiguous()
        if not torch.isfinite(tensors[name]).all():
            raise GoodhartError(
                f"{source.label}: {name} holds a value that is not finite in {settings.dtype}; "
                "fetch it again, or use another dtype."
            )
    save_file(tensors, weights, metadata={"format": "pt"})
    fingerprint = fingerprint_shard(weights, shard)
    write_json(record, fingerprint)
    log.info("%s: %d tensors, %d bytes", shard, len(tensors), weights.stat().st_size)
    return fingerprint
