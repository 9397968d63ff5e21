"""Whether an export computes what our runtime computes: logits and greedy continuations."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from goodhart_gap.errors import GoodhartError

GENERATED = 16
"""Tokens of a greedy continuation."""

TOLERANCE = {"caldera": 0.02, "dense": 1e-4, "compressed-tensors": 0.02, "gguf": 1e-3}
"""Largest root mean square difference of float32 logits, as a share of their standard deviation.

`caldera` is computed packed, Q + L R unrounded; on SmolLM2 that makes 0.005.
`compressed-tensors` rounds Q to bfloat16 and L, R too, our dense weights are the sum, rounded once;
measured on SmolLM2 that makes 0.013. (A forward pass in bfloat16 itself makes 0.03.)
"""


@dataclass(frozen=True)
class Agreement:
    """How far an export is from our runtime."""

    format: str
    tokens: int
    rms_difference: float
    """Root mean square difference of logits over the standard deviation of ours."""

    largest_difference: float
    """Largest difference of logits over the standard deviation of ours."""

    same_first_choice: float
    """Share of positions where both find the same token most probable."""

    greedy_equal: bool
    """Whether greedy continuations of the first prompt are the same."""

    tolerance: float

    def record(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


@torch.inference_mode()
def compare(ours: Any, theirs: Any, tokens: torch.Tensor, format: str) -> Agreement:
    """Compare two models on `tokens` [sequences, length]."""
    expected = ours(tokens).logits.double()
    found = theirs(tokens).logits.double()
    spread = expected.std()
    difference = found - expected
    first_choices = found.argmax(dim=-1) == expected.argmax(dim=-1)
    return Agreement(
        format=format,
        tokens=tokens.numel(),
        rms_difference=float(difference.square().mean().sqrt() / spread),
        largest_difference=float(difference.abs().max() / spread),
        same_first_choice=float(first_choices.double().mean()),
        greedy_equal=torch.equal(_greedy(ours, tokens), _greedy(theirs, tokens)),
        tolerance=TOLERANCE[format],
    )


def check(agreement: Agreement, what: str) -> None:
    """Raise GoodhartError when an export is farther away than its tolerance."""
    if not agreement.rms_difference <= agreement.tolerance:
        raise GoodhartError(
            f"{what}: its logits differ from our runtime's by {agreement.rms_difference:.2g} of "
            f"their standard deviation, more than {agreement.tolerance}; do not use this export."
        )


def _greedy(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """The most probable continuation of the first sequence, [length]."""
    ids = tokens[:1]
    mask = torch.ones_like(ids)
    found: torch.Tensor = model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=GENERATED,
        min_new_tokens=GENERATED,
        do_sample=False,
        pad_token_id=0,
    )
    return found[0, ids.shape[1] :]
