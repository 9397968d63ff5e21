"""Drawing one token a row from logits: temperature, nucleus, inverse of the distribution function.

Holtzman et al. (2020), "The curious case of neural text degeneration": the nucleus is the smallest
set of most probable tokens whose probability reaches `top_p`.
"""

import torch
from torch import Tensor

_FIRST_LOOK = 64
"""Tokens sorted at first; rows whose nucleus is larger are sorted whole."""

_ROWS_AT_ONCE = 4
"""Rows turned into probabilities together: as many as stay in a core's cache."""


def draw(logits: Tensor, uniforms: Tensor, temperature: float, top_p: float) -> Tensor:
    """Return one token id a row, int64 [rows].

    logits: [rows, vocabulary], any float type. uniforms: float64 [rows] in [0, 1), one a row.
    Temperature 0 takes the most probable token and uses no number. Tokens of equal probability are
    ordered by id. A row's result depends on nothing but the row.
    """
    if temperature == 0:
        return torch.cat([part.float().argmax(dim=-1) for part in logits.split(_ROWS_AT_ONCE)])
    rows = _ROWS_AT_ONCE if logits.device.type == "cpu" else max(1, len(logits))
    parts = zip(logits.split(rows), uniforms.split(rows), strict=True)
    return torch.cat([_draw(part, numbers, temperature, top_p) for part, numbers in parts])


def _draw(logits: Tensor, uniforms: Tensor, temperature: float, top_p: float) -> Tensor:
    vocabulary = logits.shape[-1]
    probability = torch.softmax(logits.float() / temperature, dim=-1)
    if vocabulary > _FIRST_LOOK:
        ids = logits.topk(_FIRST_LOOK, dim=-1).indices
        chosen, complete = _invert(probability, ids, uniforms, top_p)
        if bool(complete.all()):
            return chosen
    ids = torch.arange(vocabulary, device=logits.device).expand_as(logits)
    return _invert(probability, ids, uniforms, top_p)[0]


def _invert(
    probability: Tensor, ids: Tensor, uniforms: Tensor, top_p: float
) -> tuple[Tensor, Tensor]:
    """Draw from the nucleus among the tokens `ids`, int64 [rows, candidates].

    Returns the drawn ids and, for every row, whether the candidates hold the whole nucleus.
    """
    ids = ids.sort(dim=-1).values
    values, order = probability.gather(-1, ids).double().sort(dim=-1, descending=True, stable=True)
    ids = ids.gather(-1, order)
    reached = values.cumsum(dim=-1)
    inside = reached - values < top_p
    upto = torch.where(inside, values, 0.0).cumsum(dim=-1)
    place = (upto <= uniforms.unsqueeze(-1) * upto[:, -1:]).sum(dim=-1)
    # Rounding may put the target at the very end, where every later entry is equally far.
    place = torch.minimum(place, inside.sum(dim=-1) - 1)
    return ids.gather(-1, place.unsqueeze(-1)).squeeze(-1), reached[:, -1] >= top_p
