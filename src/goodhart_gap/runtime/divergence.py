"""How far a condition's model is from the base on held-out text: losses, KL, agreement.

A row a sequence of the held-out calibration tokens, so that intervals can be made over sequences.
Sums are in nats over the tokens that have a token before them.
"""

import logging
from collections.abc import Iterator
from typing import Any

import torch

log = logging.getLogger(__name__)

COLUMNS = ("sequence", "tokens", "loss", "base_loss", "kl", "agreements")


def divergence_rows(
    base: Any, treated: Any, tokens: torch.Tensor
) -> Iterator[dict[str, int | float]]:
    """Yield a row of COLUMNS for each of `tokens` [sequences, length].

    `kl` is the sum of KL(base || treated) between the next-token distributions; `agreements` counts
    the positions whose most probable next token is the same.
    """
    with torch.inference_mode():
        for sequence, ids in enumerate(tokens.to(torch.int64)):
            p, q = (_log_probabilities(model, ids) for model in (base, treated))
            following = ids[1:, None].to(p.device)
            yield {
                "sequence": sequence,
                "tokens": len(ids) - 1,
                "loss": -float(q.gather(1, following).sum()),
                "base_loss": -float(p.gather(1, following).sum()),
                "kl": kl_divergence(p, q),
                "agreements": int((p.argmax(-1) == q.argmax(-1)).sum()),
            }
            if sequence % 16 == 0:
                log.info("sequence %d of %d", sequence + 1, len(tokens))


def kl_divergence(p: torch.Tensor, q: torch.Tensor) -> float:
    """Sum over positions of KL(p || q) of log probabilities [positions, vocabulary], in nats."""
    return max(0.0, float((p.exp() * (p - q)).sum(dtype=torch.float64)))


def _log_probabilities(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Log probabilities of the token after each position but the last, float32."""
    device = model.get_input_embeddings().weight.device
    logits = model(input_ids=ids[None].to(device), use_cache=False).logits[0, :-1]
    return torch.log_softmax(logits.float(), -1)
