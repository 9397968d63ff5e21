"""Greedy continuations of two models, and where they part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

GENERATED = 64
"""Tokens of a greedy continuation."""


@dataclass(frozen=True)
class Continuation:
    """How long two models continue a prompt with the same tokens."""

    prompt: int
    tokens: int
    equal_tokens: int
    """Tokens before the first that differs; `tokens` where none does."""

    lead: float | None
    """There: how far our token's logit is above that of the export's token, in our model, over the
    standard deviation of logits. None where all are equal."""


@torch.inference_mode()
def continuations(
    ours: Any, theirs: Any, tokens: torch.Tensor, spread: float, generated: int = GENERATED
) -> list[Continuation]:
    """Continue `tokens` [prompts, length] by both; `spread`: the standard deviation of logits."""
    expected, logits = _greedy(ours, tokens, generated, logits=True)
    found, _ = _greedy(theirs, tokens, generated, logits=False)
    rows = []
    for prompt, (own, other) in enumerate(zip(expected, found, strict=True)):
        differ = (own != other).nonzero()
        if len(differ) == 0:
            rows.append(Continuation(prompt, len(own), len(own), None))
            continue
        place = int(differ[0])
        there = logits[place][prompt].double()
        lead = float(there[own[place]] - there[other[place]]) / spread
        rows.append(Continuation(prompt, len(own), place, lead))
    return rows


def _greedy(
    model: Any, ids: torch.Tensor, generated: int, logits: bool
) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
    """The most probable continuations [prompts, generated], and logits [prompts, words] of each."""
    found = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=generated,
        min_new_tokens=generated,
        do_sample=False,
        pad_token_id=0,
        return_dict_in_generate=True,
        output_logits=logits,
    )
    return found.sequences[:, ids.shape[1] :], found.logits or ()
