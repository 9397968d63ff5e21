"""Whether an export computes what our runtime computes: logits and greedy continuations.

Two models that agree to a tolerance choose the same token unless two tokens are about equally
probable, and once they have chosen differently they continue different texts. So continuations have
to be equal up to a token whose lead is of the size of the tolerance, and where they part the lead
is recorded.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from goodhart_gap.errors import GoodhartError
from goodhart_gap.runtime.exports.continuations import GENERATED, Continuation, continuations

TOLERANCE = {
    torch.float32: {"caldera": 1e-4, "dense": 1e-4, "compressed-tensors": 0.02, "gguf": 1e-3},
    torch.bfloat16: dict.fromkeys(("caldera", "dense", "compressed-tensors", "gguf"), 0.05),
}
"""Largest root mean square difference of logits, as a share of their standard deviation.

In float32 `compressed-tensors` differs because it rounds Q to bfloat16 and L, R too, while our
dense weights are the sum, rounded once; measured on SmolLM2 that makes 0.013. In bfloat16 any other
order of the same sums makes 0.03.
"""

LEADS = 2
"""Continuations may part where our token leads theirs by so many tolerances, or less: two logits
that each differ by one tolerance change places there."""


@dataclass(frozen=True)
class Agreement:
    """How far an export is from our runtime, both in one number format."""

    format: str
    dtype: str
    tokens: int
    rms_difference: float
    """Root mean square difference of logits over the standard deviation of ours."""

    largest_difference: float
    """Largest difference of logits over the standard deviation of ours."""

    same_first_choice: float
    """Share of positions where both find the same token most probable."""

    tolerance: float
    greedy: tuple[Continuation, ...]
    """For each prompt, how long the greedy continuations are the same."""

    largest_lead: float
    """Where continuations part, our token may lead theirs by so much at most."""

    @property
    def greedy_equal(self) -> bool:
        """Whether all greedy continuations are the same."""
        return all(each.equal_tokens == each.tokens for each in self.greedy)

    def record(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self) | {"greedy_equal": self.greedy_equal}


@torch.inference_mode()
def compare(
    ours: Any, theirs: Any, tokens: torch.Tensor, format: str, generated: int = GENERATED
) -> Agreement:
    """Compare two models of one number format on `tokens` [sequences, length], continued."""
    expected = ours(tokens).logits.double()
    found = theirs(tokens).logits.double()
    spread = float(expected.std())
    difference = found - expected
    first_choices = found.argmax(dim=-1) == expected.argmax(dim=-1)
    tolerance = TOLERANCE[ours.dtype][format]
    return Agreement(
        format=format,
        dtype=str(ours.dtype).removeprefix("torch."),
        tokens=tokens.numel(),
        rms_difference=float(difference.square().mean().sqrt()) / spread,
        largest_difference=float(difference.abs().max()) / spread,
        same_first_choice=float(first_choices.double().mean()),
        tolerance=tolerance,
        greedy=tuple(continuations(ours, theirs, tokens, spread, generated)),
        largest_lead=LEADS * tolerance,
    )


def check(agreement: Agreement, what: str) -> None:
    """Raise GoodhartError when an export is farther away than its tolerance."""
    if not agreement.rms_difference <= agreement.tolerance:
        raise GoodhartError(
            f"{what}: its logits in {agreement.dtype} differ from our runtime's by "
            f"{agreement.rms_difference:.2g} of their standard deviation, more than "
            f"{agreement.tolerance}; do not use this export."
        )
    for each in agreement.greedy:
        if each.lead is not None and not each.lead <= agreement.largest_lead:
            raise GoodhartError(
                f"{what}: its greedy continuation of prompt {each.prompt} in {agreement.dtype} "
                f"leaves our runtime's at token {each.equal_tokens}, where ours leads by "
                f"{each.lead:.2g} standard deviations of logits, more than "
                f"{agreement.largest_lead:.2g}; do not use this export."
            )
