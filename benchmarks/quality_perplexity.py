"""Perplexity of a model on held-out tokens, and how sure a difference of two models is."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from scipy import stats

from goodhart_gap.runtime.load import load_model

LEVEL = 0.95
"""Of the interval of a ratio."""


class Ratio(NamedTuple):
    """A ratio of two perplexities, and its interval."""

    ratio: float
    low: float
    high: float

    @property
    def resolved(self) -> bool:
        """Whether the interval leaves out that both are alike."""
        return not self.low <= 1 <= self.high


def measure(base: Path, dense: Mapping[str, Path], tokens: torch.Tensor) -> list[float]:
    """`sequence_losses` of the model of `base` with other weights: `dense` {module: its file}.

    In float32, by one thread.
    """
    torch.set_num_threads(1)
    shards = sorted(base.glob("*.safetensors"))
    model = load_model(base / "config.json", base / "fingerprint.json", shards, dtype="float32")
    parameters = dict(model.named_parameters())
    for module, path in dense.items():
        with torch.no_grad():
            parameters[f"{module}.weight"].copy_(load_file(path)["weight"])
    return sequence_losses(model, tokens)


def sequence_losses(model: torch.nn.Module, tokens: torch.Tensor) -> list[float]:
    """Mean negative log-likelihood, in nats, of a token of each sequence of `tokens` [n, length].

    Of all tokens but the first, which nothing predicts.
    """
    found = []
    with torch.inference_mode():
        for batch in tokens.split(4):
            logits = model(batch).logits[:, :-1].float()
            loss = torch.nn.functional.cross_entropy(
                logits.transpose(1, 2), batch[:, 1:], reduction="none"
            )
            found += loss.mean(dim=1, dtype=torch.float64).tolist()
    return found


def perplexity(losses: Sequence[float]) -> float:
    """exp of the mean loss of a token; all sequences are equally long."""
    return math.exp(sum(losses) / len(losses))


def compare(losses: Sequence[float], others: Sequence[float]) -> Ratio:
    """A model's perplexity over another's on the same sequences, with its interval.

    Sequences are the independent units: the tokens of one hang together. The interval is Student's,
    of the mean of the paired differences; endless where there is but one sequence.
    """
    differences = [mine - other for mine, other in zip(losses, others, strict=True)]
    count = len(differences)
    mean = sum(differences) / count
    if count < 2:
        return Ratio(math.exp(mean), 0.0, math.inf)
    variance = sum((each - mean) ** 2 for each in differences) / (count - 1)
    half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * math.sqrt(variance / count)
    return Ratio(math.exp(mean), math.exp(mean - half), math.exp(mean + half))
