"""Calibration text that an instruct model writes itself: `source: self`.

As in Magpie (Xu et al. 2024): given the chat template up to where the user's words begin, an
instruct model writes a user's request, ends the turn, and answers it; sampling goes on past the end
of turns. At temperature 1 this is text from the model's own distribution, in its own format, and
needs no data set. It needs the whole model in memory, so for a model that does not fit give
`file:` or `hf:` text.

All sequences, held-out ones included, begin with the same ids of the template. What a layer is fed
there is the same in each, so that part of the held-out tokens is nothing new to a compression.
"""

import hashlib
import logging
from collections.abc import Sequence
from typing import Any

import numpy
import torch

from goodhart_gap.calibration.decoding import prepare_decoding
from goodhart_gap.calibration.progress import Progress
from goodhart_gap.errors import GoodhartError

log = logging.getLogger(__name__)

_SENTINEL = "3f1c9a"
_SEQUENCES_AT_ONCE = 128


def conversation_prefix(tokenizer: Any) -> list[int]:
    """Return the token ids of the chat template up to where the user's words begin.

    Raises GoodhartError when the template does not show the user's words.
    """
    text = tokenizer.apply_chat_template([{"role": "user", "content": _SENTINEL}], tokenize=False)
    prefix, found, _ = text.partition(_SENTINEL)
    if not found or not prefix:
        raise GoodhartError(
            "calibration.source: `self` needs a chat template that puts something before the "
            "user's words; give `file:{text file}` instead."
        )
    return list(tokenizer(prefix, add_special_tokens=False)["input_ids"])


def sample_conversations(
    model: Any, prefix: Sequence[int], *, sequences: int, length: int, seed: int
) -> torch.Tensor:
    """Sample `sequences` token sequences from `model`; returns int32 [sequences, length].

    Each starts with `prefix` and is sampled at temperature 1. The numbers behind sequence i are
    keyed by (seed, i), so more sequences leave the first ones as they were (up to rounding, which
    depends on the batch). Raises GoodhartError when the prefix leaves no room.
    """
    if len(prefix) >= length:
        raise GoodhartError(
            f"calibration.sequence_length = {length}: the chat template alone has {len(prefix)} "
            "tokens; raise sequence_length."
        )
    uniforms = torch.stack([_uniforms(seed, i, length - len(prefix)) for i in range(sequences)])
    progress = Progress("sampled", sequences * (length - len(prefix)), "tokens")
    batches = [
        _sample_batch(model, prefix, part, progress) for part in uniforms.split(_SEQUENCES_AT_ONCE)
    ]
    return torch.cat(batches)


@torch.inference_mode()
def _sample_batch(
    model: Any, prefix: Sequence[int], uniforms: torch.Tensor, progress: Progress
) -> torch.Tensor:
    rows, steps = uniforms.shape
    uniforms = uniforms.to(model.device)
    tokens = torch.empty(rows, len(prefix) + steps, dtype=torch.int64, device=model.device)
    tokens[:, : len(prefix)] = torch.tensor(prefix)
    cache = prepare_decoding(model)
    # The prefix is the same in every row, so it is run in one.
    logits = model(input_ids=tokens[:1, : len(prefix)], past_key_values=cache).logits[:, -1]
    logits = logits.expand(rows, -1)
    cache.batch_repeat_interleave(rows)
    for step in range(steps):
        position = len(prefix) + step
        tokens[:, position] = draw(logits, uniforms[:, step])
        progress.add(rows)
        if step < steps - 1:
            last = tokens[:, position : position + 1]
            logits = model(input_ids=last, past_key_values=cache).logits[:, -1]
    return tokens.to(torch.int32).cpu()


def draw(logits: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """Draw a token a row at temperature 1 by inverting the cumulative distribution.

    `logits` [rows, vocabulary], `uniforms` float32 [rows] in [0, 1); returns int64 [rows].
    """
    cumulative = torch.softmax(logits.float(), dim=-1).cumsum(dim=-1)
    # The sum is 1 up to rounding; scaling by it keeps the draw inside the vocabulary.
    place = (uniforms * cumulative[:, -1]).unsqueeze(-1)
    found = torch.searchsorted(cumulative, place, right=True).squeeze(-1)
    return found.clamp_(max=logits.shape[-1] - 1)


def _uniforms(seed: int, sequence: int, count: int) -> torch.Tensor:
    """Return `count` float32 numbers in [0, 1) keyed by (seed, sequence)."""
    digest = hashlib.sha256(f"{seed} calibration {sequence}".encode()).digest()
    generator = numpy.random.Generator(numpy.random.Philox(key=int.from_bytes(digest[:16])))
    return torch.from_numpy(generator.random(count, dtype=numpy.float32))
