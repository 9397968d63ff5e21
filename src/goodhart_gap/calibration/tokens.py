"""Make the calibration tokens: from one of three sources, split into train and held-out."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from goodhart_gap.calibration.conversations import conversation_prefix, sample_conversations
from goodhart_gap.calibration.passages import passages_of_dataset, passages_of_file
from goodhart_gap.calibration.settings import CalibrationSettings
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.assembly import assemble_model, base_weights
from goodhart_gap.models.steady_file import save_steady

log = logging.getLogger(__name__)


def make_tokens(
    settings: CalibrationSettings,
    tokenizer: Any,
    config: Path,
    shards: Sequence[Path],
    device: str | torch.device = "cpu",
) -> torch.Tensor:
    """Return calibration tokens, int32 [sequences, length].

    `config` (the base's config.json) and `shards` (all of the base's) are read for source `self`.
    """
    kind, _, place = settings.source.partition(":")
    size = {
        "sequences": settings.sequences,
        "length": settings.sequence_length,
        "seed": settings.seed,
    }
    if kind == "file":
        return passages_of_file(Path(place), tokenizer, **size)
    if kind == "hf":
        assert settings.revision is not None
        return passages_of_dataset(place, settings.revision, tokenizer, **size)
    model = assemble_model(config, base_weights(shards), device=device)
    return sample_conversations(model, conversation_prefix(tokenizer), **size)


def held_out_count(settings: CalibrationSettings) -> int:
    """Return how many sequences are held out: the share asked for, at least one.

    Raises GoodhartError when none would be left to calibrate on.
    """
    count = max(1, round(settings.held_out * settings.sequences))
    if count >= settings.sequences:
        raise GoodhartError(
            f"calibration.held_out = {settings.held_out}: leaves none of {settings.sequences} "
            "sequences to calibrate on; lower it or raise calibration.sequences."
        )
    return count


def write_tokens(tokens: torch.Tensor, settings: CalibrationSettings, path: Path) -> None:
    """Write `train` and `held_out` (int32 [n, length]) with their source, seed and counts.

    Of a text file only `file` is written: its path differs between machines, the text does not.
    """
    train = settings.sequences - held_out_count(settings)
    parts = {"train": tokens[:train].contiguous(), "held_out": tokens[train:].contiguous()}
    metadata = {
        "format": "pt",
        "source": "file" if settings.source.startswith("file:") else settings.source,
        "seed": str(settings.seed),
        "train_tokens": str(parts["train"].numel()),
        "held_out_tokens": str(parts["held_out"].numel()),
    }
    save_steady(parts, path, metadata)
    log.info(
        "%s train and %s held-out tokens", metadata["train_tokens"], metadata["held_out_tokens"]
    )
