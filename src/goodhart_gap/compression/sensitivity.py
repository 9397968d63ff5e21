"""How much the model's output suffers when one block alone is compressed.

One walk over the model, block by block: beside the base model's activations go those of every
variant, in which one earlier block was compressed and all others are as they were. Each block of
the base is loaded once, each compressed block once; a variant costs the blocks after its own. In
memory: one block, and the activations of all variants (blocks x conditions x tokens x width
numbers), which the number of tokens keeps small.
"""

import csv
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file

from goodhart_gap.compression.format import ShardReader
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.shards import block_of, block_range
from goodhart_gap.models.streaming import Decoder, WeightFile

log = logging.getLogger(__name__)

COLUMNS = ("block", "condition", "bytes", "error", "divergence")

_TOKENS_AT_ONCE = 1024
"""Tokens whose logits are in memory at once."""


class CompressedFile(WeightFile):
    """A compressed shard, read as if its weights were dense."""

    def __enter__(self) -> Self:
        self._file = self._reader = ShardReader(self.path)
        self.record = self._reader.record
        self._plain = set(self._reader.plain_names())
        self.names = self._plain | {f"{module}.weight" for module in self.record.modules}
        return self

    def read(self, name: str) -> torch.Tensor:
        """Return a tensor, reconstructed if need be."""
        if name not in self.names:
            raise GoodhartError(f"{self.path}: has no weight {name}; delete it and run again.")
        if name in self._plain:
            return self._reader.plain(name)
        return self._reader.dense(name.removesuffix(".weight"))

    def bytes_of(self, block: int) -> int:
        """Bytes of the packed matrices of a block."""
        return sum(
            part.numel() * part.element_size()
            for module in self.record.modules
            if block_of(module) == block
            for part in self._reader.parts(module).values()
        )

    def error_of(self, block: int) -> float:
        """Summed over the block's matrices: the share of their output's energy that is lost.

        tr(E H E^T) / tr(W H W^T), E = W - W^, on calibration tokens.
        """
        return sum(
            record.fidelity["weighted_error"] ** 2
            for module, record in self.record.modules.items()
            if block_of(module) == block
        )


@dataclass
class Variant:
    """The model with one block compressed."""

    block: int
    condition: str
    size_bytes: int
    error: float
    hidden: torch.Tensor
    """Its activations [sequences, length, width] so far."""
    divergence: float = 0.0
    """Kullback-Leibler divergence of its output distribution from the base's, nats a token."""


def measure_sensitivity(
    config: Any,
    tokens: Path,
    embeddings: Path,
    shards: Sequence[Path],
    compressed: Mapping[str, Sequence[Path]],
    limit: int,
    device: str = "cpu",
) -> list[Variant]:
    """Compress every block in turn in every way, and measure, on at most `limit` held-out tokens.

    `shards` are the base's block shards, `compressed` {condition: its shards}, both in the order of
    the model. Whole sequences are used, at least one.
    """
    ids = load_file(tokens)["held_out"].to(torch.int64)
    ids = ids[: max(1, limit // ids.shape[1])]
    # float32 even where the model is not: what is measured may be smaller than its rounding.
    decoder = Decoder(config, dtype="float32", device=device)
    with WeightFile(embeddings) as weights:
        hidden = decoder.embed(ids, weights)
    calls = decoder.block_calls(hidden)
    variants: list[Variant] = []
    with torch.inference_mode():
        for place, path in enumerate(shards):
            with ExitStack() as stack:
                base = stack.enter_context(WeightFile(path))
                files = {
                    condition: stack.enter_context(CompressedFile(paths[place]))
                    for condition, paths in compressed.items()
                }
                for index in block_range(path.stem):
                    fresh = []
                    for condition, file in files.items():
                        with decoder.loaded_block(index, file) as block:
                            out = calls[index].run(block, hidden)
                        size, error = file.bytes_of(index), file.error_of(index)
                        fresh.append(Variant(index, condition, size, error, out))
                    with decoder.loaded_block(index, base) as block:
                        hidden = calls[index].run(block, hidden)
                        for variant in variants:
                            variant.hidden = calls[index].run(block, variant.hidden)
                    variants += fresh
                    log.info("block %d of %d: %d variants", index, len(calls) - 1, len(variants))
        with WeightFile(embeddings) as weights:
            _measure_divergence(decoder, weights, hidden, variants)
    return variants


def write_sensitivity(path: Path, variants: Iterable[Variant]) -> None:
    """Write sensitivity.csv, a row a block and condition."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for each in sorted(variants, key=lambda v: (v.block, v.condition)):
            numbers = f"{each.error:.6g}", f"{each.divergence:.6g}"
            writer.writerow((each.block, each.condition, each.size_bytes, *numbers))


def _measure_divergence(
    decoder: Decoder, weights: WeightFile, hidden: torch.Tensor, variants: Sequence[Variant]
) -> None:
    """Fill `divergence`; logits are made sequence by sequence, many variants at a time."""
    sequences, length, _ = hidden.shape
    at_once = max(1, _TOKENS_AT_ONCE // length)
    for row in range(sequences):
        base = decoder.logits(hidden[row : row + 1], weights).float().log_softmax(dim=-1)
        for start in range(0, len(variants), at_once):
            some = variants[start : start + at_once]
            stacked = torch.cat([variant.hidden[row : row + 1] for variant in some])
            other = decoder.logits(stacked, weights).float().log_softmax(dim=-1)
            divergence = (base.exp() * (base - other)).sum(dim=-1).mean(dim=-1)
            for variant, value in zip(some, divergence.tolist(), strict=True):
                variant.divergence += value / sequences
