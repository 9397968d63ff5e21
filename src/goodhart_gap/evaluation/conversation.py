"""Talking to a model under several conditions: the same prompt and the same draws for each.

    speakers = [Speaker(models / "base", sampling), Speaker(models / "uniform-4bit", sampling)]
    answers = [speaker.answer("What is 3 + 4?", seed=42, run=0) for speaker in speakers]

Responses are sampled as the experiment samples them. The draws are keyed by seed, prompt and run,
so asking again gives the same answer, and another run another one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.files import read_json

ROLE = "chat"
"""Role of a prompt that belongs to no task."""

BASE = "base"
"""Name of the folder of the uncompressed checkpoint, beside those of the conditions."""

INDEX = "model.safetensors.index.json"

IMPORT = "import.json"

OF_BASE = (
    "config.json",
    "fingerprint.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
"""What a base has beside its shards."""


@dataclass(frozen=True)
class Checkpoint:
    """The files of a model under one condition."""

    base: Path
    """Folder of the base: configuration, tokenizer, fingerprints."""

    shards: tuple[Path, ...]
    """Files with the weights; none for an import."""

    index: Path | None = None
    """Which weight is in which shard; None for the base."""

    imported: Path | None = None
    """Record of a checkpoint that others have compressed."""


def find_checkpoint(folder: Path, storage: str | None = None) -> Checkpoint:
    """Return the files of the checkpoint in `folder`, `results/models/{model}/{condition or base}`.

    `storage` is the S3 prefix where large files lie, if they do. Raises GoodhartError when a file
    is not there, with the command that makes it.
    """
    base = folder.parent / BASE
    for name in OF_BASE:
        _check(base / name, storage)
    if folder == base:
        names = read_json(base / "fingerprint.json")["shards"]
        found = Checkpoint(base, tuple(base / f"{name}.safetensors" for name in names))
    elif (folder / IMPORT).is_file():
        found = Checkpoint(base, (), imported=folder / IMPORT)
    else:
        _check(folder / INDEX, storage)
        shards = dict.fromkeys(_shards_of(folder, read_json(folder / INDEX)["weight_map"]))
        found = Checkpoint(base, tuple(shards), index=folder / INDEX)
    for shard in found.shards:
        _check(shard, storage)
    return found


def _shards_of(folder: Path, weight_map: Mapping[str, str]) -> Iterator[Path]:
    """Yield the shard of each weight; those of other folders are named relative to this one."""
    for name in weight_map.values():
        parts = name.split("/")
        yield folder.parent.joinpath(*parts[1:]) if parts[0] == ".." else folder / name


def _check(path: Path, storage: str | None) -> None:
    if path.is_file():
        return
    if storage and path.suffix == ".safetensors":
        raise GoodhartError(f"{path}: lies on {storage} and not on this disk; copy it here first.")
    raise GoodhartError(f"{path}: is not built yet; make it with `snakemake --cores all {path}`.")


class Speaker:
    """A model under one condition, loaded and ready to answer."""

    def __init__(self, checkpoint: Checkpoint, settings: SamplingSettings) -> None:
        import torch
        from transformers import AutoTokenizer

        from goodhart_gap.evaluation.transformers_engine import TransformersEngine
        from goodhart_gap.models.devices import available_device
        from goodhart_gap.runtime.imported import load_imported
        from goodhart_gap.runtime.load import load_model

        torch.set_num_threads(settings.threads)
        device, base = available_device(), checkpoint.base
        self.settings = settings
        self.tokenizer = AutoTokenizer.from_pretrained(base)
        if checkpoint.imported is not None:
            model = load_imported(checkpoint.imported, settings.dtype, device)
        else:
            model = load_model(
                base / "config.json",
                base / "fingerprint.json",
                checkpoint.shards,
                settings.dtype,
                device,
                checkpoint.index,
                settings.weights,
            )
        self.engine = TransformersEngine(model, self.tokenizer)

    def answer(self, text: str, seed: int, run: int = 0) -> dict[str, Any]:
        """Return the response to a prompt: `text`, `n_tokens`, `truncated`, ..."""
        from goodhart_gap.evaluation.sampler import sample

        prompt = Prompt(text, ROLE, text)
        (record,) = sample(self.engine, self.tokenizer, [prompt], [run], seed, self.settings)
        return record
