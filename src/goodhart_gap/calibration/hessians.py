"""Hessians X^T X / n of every linear layer's input X, block by block.

For the layer-wise objective ||(W - W^) X||^2 of GPTQ and CALDERA (there X is inputs x tokens, here
tokens x inputs), X^T X is all that needs to be known about the inputs. X are the base model's
activations; the compressed model's are not propagated.

Shards are chained by files of activations: a shard's job reads what came out of the shard before,
holds one block's weights and that block's Hessians, and leaves what comes out of its last block.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from goodhart_gap.calibration.progress import Progress
from goodhart_gap.errors import GoodhartError
from goodhart_gap.memory import give_back
from goodhart_gap.models.shards import block_range
from goodhart_gap.models.streaming import BlockCall, Decoder, WeightFile, shared_inputs
from goodhart_gap.models.tensor_files import TensorFileWriter

log = logging.getLogger(__name__)

SPLITS = ("train", "held_out")

_TOKENS_AT_ONCE = 4096
_TILE = 256
_HEADER_BYTES_PER_MODULE = 1024


@dataclass(frozen=True)
class HessianJob:
    """The files of one shard's job."""

    shard: str
    tokens: Path
    embeddings: Path | None
    """The embeddings shard; for the first shard of blocks only."""
    before: Path | None
    """Activations after the shard before; for every other shard of blocks."""
    weights: Path
    hessians: Path
    after: Path


def first_activations(decoder: Decoder, tokens: Path, embeddings: Path) -> dict[str, torch.Tensor]:
    """Return the input of block 0 for both splits, [sequences, length, width]."""
    with WeightFile(embeddings) as weights:
        return {
            split: decoder.embed(ids.to(torch.int64), weights).to("cpu", copy=True)
            for split, ids in load_file(tokens).items()
        }


def accumulate_hessians(config: Any, job: HessianJob, base_fingerprint: str, device: str) -> None:
    """Write the Hessians of a shard's linear layers, and the activations after the shard.

    `{module}.{split}` is float32 [inputs, inputs], stored for the first of the modules that share
    an input; metadata `aliases` maps every module to it. `base_fingerprint` is the shard's.

    Raises GoodhartError when an activation is not finite.
    """
    decoder = Decoder(config, device=device)
    if job.before is not None:
        # The shard before may have been on a machine that computes in another format.
        activations = {
            split: part.to(decoder.dtype) for split, part in load_file(job.before).items()
        }
    elif job.embeddings is not None:
        activations = first_activations(decoder, job.tokens, job.embeddings)
    else:
        raise ValueError("a shard needs the embeddings or the activations before it")
    blocks = block_range(job.shard)
    modules = sum(len(decoder.anatomy.linears[index]) for index in blocks)
    aliases: dict[str, str] = {}
    total = sum(part.shape[0] * part.shape[1] for part in activations.values())
    progress = Progress(f"{job.shard}: propagated", total * len(blocks), "token-blocks")
    header_bytes = _HEADER_BYTES_PER_MODULE * (modules + 1)
    with TensorFileWriter(job.hessians, header_bytes) as file:
        for index in blocks:
            # Opened for each block: what has been read of a mapped file counts as memory.
            with (
                WeightFile(job.weights) as weights,
                decoder.loaded_block(index, weights) as block,
            ):
                names = decoder.anatomy.linears[index]
                prefix = decoder.anatomy.block(index)
                walk = _BlockWalk(decoder, block, index, names)
                for group in walk.groups(activations["train"]):
                    aliases |= {f"{prefix}.{name}": f"{prefix}.{group[0]}" for name in group}
                for split in SPLITS:
                    for name, hessian in walk.accumulate(activations[split], progress).items():
                        _check_finite(hessian, f"{prefix}.{name}", job)
                        file.add(
                            f"{prefix}.{name}.{split}",
                            "F32",
                            list(hessian.shape),
                            hessian.cpu().numpy().data.cast("B"),
                        )
            give_back()
        file.metadata |= {
            "format": "pt",
            "aliases": json.dumps(aliases),
            "tokens": str(activations["train"].shape[0] * activations["train"].shape[1]),
            "held_out_tokens": str(
                activations["held_out"].shape[0] * activations["held_out"].shape[1]
            ),
            "base_fingerprint": base_fingerprint,
        }
    save_file(activations, job.after)


class _BlockWalk:
    """Runs one block over activations, batch by batch, and sums up what goes into its layers."""

    def __init__(
        self, decoder: Decoder, block: nn.Module, index: int, names: tuple[str, ...]
    ) -> None:
        self.decoder, self.block, self.index, self.names = decoder, block, index, names
        self._calls: dict[torch.Size, BlockCall] = {}
        self._leaders: list[str] = []

    @torch.inference_mode()
    def groups(self, activations: torch.Tensor) -> list[list[str]]:
        """Return the layers grouped by shared input, observed on one sequence."""
        one = activations[:1].to(self.decoder.device)
        groups = shared_inputs(self.block, self.names, lambda: self._run(one))
        self._leaders = [group[0] for group in groups]
        return groups

    @torch.inference_mode()
    def accumulate(self, activations: torch.Tensor, progress: Progress) -> dict[str, torch.Tensor]:
        """Replace `activations` [sequences, length, width] by the block's output, in place.

        Returns X^T X / n by the first layer of each group.
        """
        sums: dict[str, torch.Tensor] = {}
        hooks = [
            self.block.get_submodule(name).register_forward_pre_hook(partial(_add, sums, name))
            for name in self._leaders
        ]
        try:
            for batch in _batches(activations):
                batch.copy_(self._run(batch.to(self.decoder.device)))
                progress.add(batch.shape[0] * batch.shape[1])
        finally:
            for hook in hooks:
                hook.remove()
        count = activations.shape[0] * activations.shape[1]
        return {name: mirror_upper(total).div_(count) for name, total in sums.items()}

    def _run(self, hidden: torch.Tensor) -> torch.Tensor:
        if hidden.shape not in self._calls:
            self._calls[hidden.shape] = self.decoder.block_calls(hidden)[self.index]
        return self._calls[hidden.shape].run(self.block, hidden)


def _add(
    sums: dict[str, torch.Tensor], name: str, module: nn.Module, args: tuple[torch.Tensor, ...]
) -> None:
    inputs = args[0].flatten(0, -2).float()
    width = inputs.shape[-1]
    if name not in sums:
        sums[name] = torch.zeros(width, width, device=inputs.device)
    add_upper(sums[name], inputs)


def add_upper(total: torch.Tensor, inputs: torch.Tensor) -> None:
    """Add X^T X to the upper triangle of `total` [width, width], X float32 [tokens, width].

    Tile by tile, since the product is symmetric: at large widths half the work. What lies below
    the diagonal tiles stays as it was; `mirror_upper` fills it.
    """
    width = inputs.shape[-1]
    for start in range(0, width, _TILE):
        end = min(start + _TILE, width)
        total[start:end, start:].addmm_(inputs[:, start:end].T, inputs[:, start:])


def mirror_upper(total: torch.Tensor) -> torch.Tensor:
    """Return `total` with its upper triangle mirrored to the lower one, in place."""
    width = total.shape[-1]
    for start in range(0, width, _TILE):
        end = min(start + _TILE, width)
        total[end:, start:end] = total[start:end, end:].T
        tile = total[start:end, start:end]
        tile.copy_(torch.triu(tile) + torch.triu(tile, 1).T)
    return total


def _batches(activations: torch.Tensor) -> Iterator[torch.Tensor]:
    rows = max(1, _TOKENS_AT_ONCE // activations.shape[1])
    yield from activations.split(rows)


def _check_finite(hessian: torch.Tensor, module: str, job: HessianJob) -> None:
    if not torch.isfinite(hessian).all():
        raise GoodhartError(
            f"{job.weights}: the inputs of {module} overflow on {job.tokens}; use a base dtype "
            "with more range (bfloat16 or float32)."
        )


def token_counts(metadata: Mapping[str, str]) -> dict[str, int]:
    """Return how many tokens each split's Hessians were made from, by a Hessian file's metadata."""
    return {"train": int(metadata["tokens"]), "held_out": int(metadata["held_out_tokens"])}
