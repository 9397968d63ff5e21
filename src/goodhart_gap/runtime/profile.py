"""What compressing one block alone does, block by block, by several measures side by side.

The block's weights are those of compressed shards that exist. With x_k the base's hidden states
before block k on held-out tokens, and block k compressed while all others stay as they are:

- `weighted_error`: sum over the block's matrices of ||(W - W^) X||^2, a token: the Hessian-weighted
  error tr(E H E^T), with H = X^T X / n of these very tokens.
- `relative_error`: the same over the sum of ||W X||^2, as a ratio of norms.
- `output_kl`: KL of the model's next-token distribution from the base's, nats a token.
- `inversion_change`: share of tokens whose hidden state after the block inverts to another token
  than the base's does: of the token that went in and sampled negatives, the one whose embedding has
  the largest cosine with the hidden state.
- `margin_change`: mean size of the change of that cosine's lead (own token less best negative).

Negatives are keyed by (seed, sequence), so every block and condition is asked the same.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from goodhart_gap.compression.format import read_shard
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.shards import block_of
from goodhart_gap.models.streaming import BlockCall, Decoder, WeightFile
from goodhart_gap.runtime.divergence import kl_divergence

log = logging.getLogger(__name__)

COLUMNS = (
    "block",
    "sequence",
    "tokens",
    "error_energy",
    "output_energy",
    "kl",
    "inversion_changes",
    "margin_changes",
)
"""Sums over the tokens of a sequence."""

_TOKENS_AT_ONCE = 64
"""Tokens whose candidates' embeddings are in memory at once."""


@dataclass(frozen=True)
class Profiled:
    """The files of a profile."""

    embeddings: Path
    base: Sequence[Path]
    """Block shards of the base."""
    shards: Sequence[Path]
    """Compressed shards."""


def profile_rows(
    config: Any, files: Profiled, tokens: torch.Tensor, negatives: int, seed: int, device: str
) -> Iterator[dict[str, int | float]]:
    """Yield rows of COLUMNS for `tokens` [sequences, length], block after block.

    The base model is held whole, in its own number format or what the CPU is faster in, and one
    compressed block beside it.
    """
    decoder = Decoder(config, device=device)
    with ExitStack() as stack, torch.inference_mode():
        opened = [stack.enter_context(WeightFile(path)) for path in files.base]
        for index in range(len(decoder.blocks)):
            prefix = f"{decoder.anatomy.block(index)}."
            stack.enter_context(decoder.loaded_block(index, _holder(opened, prefix, files)))
        outside = stack.enter_context(WeightFile(files.embeddings))
        table = outside.read(f"{decoder.anatomy.embedding}.weight").to(device).float()
        table = nn.functional.normalize(table, dim=-1)
        walks = []
        for sequence, ids in enumerate(tokens.to(torch.int64)):
            chosen = draw_negatives(ids, len(table), negatives, seed, sequence)
            walks.append(_Walk(decoder, outside, table, ids[None], chosen))
        for index in range(len(decoder.blocks)):
            weights = _compressed(files.shards, decoder.anatomy.modules(index))
            for sequence, walk in enumerate(walks):
                yield {"block": index, "sequence": sequence, **walk.without_next(weights)}
            log.info("block %d of %d", index + 1, len(decoder.blocks))


def draw_negatives(
    ids: torch.Tensor, vocabulary: int, count: int, seed: int, sequence: int
) -> torch.Tensor:
    """Return `count` token ids for each of `ids` [length], none of them the token itself.

    Keyed by (seed, sequence): [length, count], int64.
    """
    key = hashlib.sha256(f"negatives {seed} {sequence}".encode()).digest()[:7]
    generator = torch.Generator().manual_seed(int.from_bytes(key, "little"))
    drawn = torch.randint(0, vocabulary - 1, (len(ids), count), generator=generator)
    # Those at or after the token move up by one, so that the token itself is left out.
    return drawn + (drawn >= ids[:, None])


class _Walk:
    """The base's hidden states of one sequence, block after block, and what they become without it.

    Of all the base's hidden states two are held, whatever the depth: those before the next block,
    and the last.
    """

    def __init__(
        self,
        decoder: Decoder,
        outside: WeightFile,
        table: torch.Tensor,
        ids: torch.Tensor,
        negatives: torch.Tensor,
    ) -> None:
        self.decoder, self.outside = decoder, outside
        self.table = table
        self.candidates = torch.cat([ids[0][:, None], negatives], 1).to(table.device)
        hidden = decoder.embed(ids, outside)
        self.calls: list[BlockCall] = decoder.block_calls(hidden)
        self.next = 0
        self.hidden = self.last = hidden
        for call, block in zip(self.calls, decoder.blocks, strict=True):
            self.last = call.run(block, self.last)

    def without_next(self, weights: Mapping[str, torch.Tensor]) -> dict[str, int | float]:
        """Return the sums for the next block compressed to `weights` {module: weight}; pass it."""
        block, call = self.decoder.blocks[self.next], self.calls[self.next]
        names = self.decoder.anatomy.linears[self.next]
        inputs, following = _inputs(block, call, self.hidden, names)
        hidden, energies = self._compressed_block(weights, inputs)
        before, after = (self._leads(each) for each in (following, hidden))
        self.hidden, self.next = following, self.next + 1
        for call, block in zip(
            self.calls[self.next :], self.decoder.blocks[self.next :], strict=True
        ):
            hidden = call.run(block, hidden)
        # The base's are computed anew every time: of all sequences they would fill a GPU.
        log_p, log_q = (self._log_probabilities(each) for each in (self.last, hidden))
        return {
            "tokens": hidden.shape[1],
            "error_energy": energies[0],
            "output_energy": energies[1],
            "kl": kl_divergence(log_p, log_q),
            "inversion_changes": int((before[0] != after[0]).sum()),
            "margin_changes": float((before[1] - after[1]).abs().sum()),
        }

    def _compressed_block(
        self, weights: Mapping[str, torch.Tensor], inputs: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[float, float]]:
        """Output of the next block with `weights`, and ||E X||^2, ||W X||^2 over its matrices.

        Both energies are taken with the base's inputs, which is what the Hessians are made of.
        """
        block, call = self.decoder.blocks[self.next], self.calls[self.next]
        error = output = 0.0
        homes: list[tuple[nn.Module, Any]] = []
        prefix = self.decoder.anatomy.block(self.next)
        for name, given in inputs.items():
            layer = block.get_submodule(name)
            compressed = weights[f"{prefix}.{name}"].to(layer.weight.device)
            x = given[0].float()
            error += float((x @ (layer.weight.float() - compressed.float()).T).square().sum())
            output += float((x @ layer.weight.float().T).square().sum())
            homes.append((layer, layer.weight))
            layer.weight = nn.Parameter(compressed.to(layer.weight.dtype), requires_grad=False)
        try:
            return call.run(block, self.hidden), (error, output)
        finally:
            for layer, weight in homes:
                layer.weight = weight

    def _leads(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """For each token: place of the best candidate, and lead of the own token, [length]."""
        unit = nn.functional.normalize(hidden[0].float(), dim=-1)
        cosines = torch.cat(
            [
                torch.einsum("th,tch->tc", part, self.table[candidates])
                for part, candidates in zip(
                    unit.split(_TOKENS_AT_ONCE), self.candidates.split(_TOKENS_AT_ONCE), strict=True
                )
            ]
        )
        return cosines.argmax(-1), cosines[:, 0] - cosines[:, 1:].max(-1).values

    def _log_probabilities(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(self.decoder.logits(hidden, self.outside)[0].float(), -1)


def _inputs(
    block: Any, call: BlockCall, hidden: torch.Tensor, names: Sequence[str]
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """What each linear layer of a block is handed for `hidden`, and what the block makes of it."""
    found: dict[str, torch.Tensor] = {}

    def note(name: str) -> Any:
        return lambda module, args: found.setdefault(name, args[0])

    hooks = [block.get_submodule(name).register_forward_pre_hook(note(name)) for name in names]
    try:
        return found, call.run(block, hidden)
    finally:
        for hook in hooks:
            hook.remove()


def _holder(opened: Sequence[WeightFile], prefix: str, files: Profiled) -> WeightFile:
    for weights in opened:
        if any(name.startswith(prefix) for name in weights.names):
            return weights
    raise GoodhartError(f"{files.base[0].parent}: no shard holds {prefix[:-1]}; give all shards.")


def _compressed(shards: Sequence[Path], modules: Sequence[str]) -> dict[str, torch.Tensor]:
    """Dense weights of `modules`, from the compressed shard that holds them."""
    block = block_of(modules[0])
    names = {f"{module}.weight" for module in modules}
    for path in shards:
        first, last = path.stem.removeprefix("blocks").split("-")
        if block is not None and int(first) <= block <= int(last):
            return {
                name.removesuffix(".weight"): weight for name, weight in read_shard(path, names)
            }
    raise GoodhartError(f"{shards[0].parent}: no shard holds {modules[0]}; give all shards.")
