"""Attention for many runs of few prompts: each prompt's keys and values are stored once.

A response's attention is computed in two parts, over its prompt and over what it has generated, and
the parts are merged by their largest scores and sums, as in cascade or "Hydragen" attention
(Juravsky et al. 2024). All sequences have generated equally many tokens, so the second part is one
batch of small products over storage that grows in steps.

The parts a response's result depends on have shapes that follow from the response alone: its
prompt's length, and how far it has come. That is what makes a response independent of the batch
wherever the matrix kernels treat rows independently. Elementwise functions need care too: torch
computes the last few elements of a tensor one by one, and `exp` of one element rounds otherwise
than `exp` of a vector. So none is applied to a tensor that has few elements a row.

The model is not altered: transformers lets attention be computed by a registered function, and asks
a cache object to keep keys and values. Ours does both.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import AttentionInterface, PretrainedConfig

from goodhart_gap.evaluation.prompt_groups import PromptGroup, grouped, taken_rows

NAME = "goodhart_shared_prefix"
"""Name under which the attention function is registered."""

_STEPS_AT_ONCE = 32
"""Generated positions by which the storage grows."""


def is_supported(config: PretrainedConfig, longest: int) -> bool:
    """Whether a model's attention is plain softmax attention over up to `longest` positions."""
    if getattr(config, "attn_logit_softcapping", None) is not None:
        return False
    if config.model_type not in _PLAIN:
        return False
    window = getattr(config, "sliding_window", None)
    used = getattr(config, "use_sliding_window", True)
    return window is None or not used or longest <= window


_PLAIN = frozenset({"llama", "mistral", "qwen2", "qwen3", "phi3", "olmo2", "granite"})
"""Architectures of which the equality with their own attention is known; see the tests."""


class SharedPrefixCache:
    """Keys and values of prompts (once each) and of their responses (one row each).

    Call `open_prompt` and run the model on each prompt, then `start`; from there on every forward
    pass takes one token a row. `keep` drops the rows of finished responses.
    """

    is_compileable = False

    def __init__(self, layers: int) -> None:
        self.layers = layers
        self.prompts: list[list[tuple[Tensor, Tensor]]] = []
        self.groups: list[PromptGroup] = []
        self.prompt_of_row: list[int] = []
        self.steps = 0
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []

    def open_prompt(self) -> None:
        """Let the next forward pass fill a new prompt."""
        self.prompts.append([])

    def start(self, prompt_of_row: Sequence[int]) -> None:
        """Begin generation with one row for each entry of `prompt_of_row`, sorted."""
        self.prompt_of_row = list(prompt_of_row)
        self.steps = 0
        self.groups = grouped(self.prompts)
        key = self.prompts[0][0][0]
        shape = (len(prompt_of_row), key.shape[1], 0, key.shape[3])
        self.keys = [layer[0].new_empty(shape) for layer in self.prompts[0]]
        self.values = [layer[1].new_empty(shape) for layer in self.prompts[0]]
        self.prompts = []
        self._arrange()

    def advance(self) -> None:
        """Make room for one more token a row; call before each forward pass of generation."""
        if self.steps == self.keys[0].shape[2]:
            room = self.steps + _STEPS_AT_ONCE
            self.keys = [_grown(key, room) for key in self.keys]
            self.values = [_grown(value, room) for value in self.values]
        self.steps += 1

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only the given rows, ascending."""
        self.keys = [taken_rows(key, rows) for key in self.keys]
        self.values = [taken_rows(value, rows) for value in self.values]
        self.prompt_of_row = [self.prompt_of_row[row] for row in rows]
        self._arrange()

    def update(
        self, key: Tensor, value: Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Store new keys and values [rows, heads, tokens, width]; called by the model."""
        if self.steps:
            self.keys[layer][:, :, self.steps - 1] = key[:, :, 0]
            self.values[layer][:, :, self.steps - 1] = value[:, :, 0]
        else:
            self.prompts[-1].append((key.contiguous(), value.contiguous()))
        return key, value

    def get_seq_length(self, layer: int = 0) -> int:
        """Positions before the next token; the sampler passes position ids, so this is unused."""
        return self.steps

    def attend(self, query: Tensor, layer: int, scale: float) -> Tensor:
        """Return attention [rows, query heads, 1, width] of one new token a row."""
        rows, heads, _, width = query.shape
        kv_heads = self.keys[layer].shape[1]
        # The query heads that share a key head become query positions of that head.
        query = query.reshape(rows, kv_heads, heads // kv_heads, width)
        mask = query.new_zeros(self.keys[layer].shape[2], dtype=torch.float32)
        mask[self.steps :] = float("-inf")
        own = attention(query, self.keys[layer], self.values[layer], scale, mask)
        merged = merge(own, self._attend_to_prompts(query, layer, scale))
        return merged.to(query.dtype).reshape(rows, heads, 1, width)

    def _arrange(self) -> None:
        """Lay the rows of each group out as prompts x slots, as many slots as the fullest has."""
        rows_of: dict[int, list[int]] = {}
        for row, prompt in enumerate(self.prompt_of_row):
            rows_of.setdefault(prompt, []).append(row)
        for group in self.groups:
            group.arrange(rows_of)
        self.groups = [group for group in self.groups if group.members]

    def _attend_to_prompts(self, query: Tensor, layer: int, scale: float) -> "Part":
        _, kv_heads, shared, width = query.shape
        single = query.new_empty(query.shape[:3], dtype=torch.float32)
        found = Part(query.new_empty(query.shape, dtype=torch.float32), single, single.clone())
        for group in self.groups:
            places = group.on(query.device)
            prompts, slots = places.layout.shape
            stacked = query[places.layout].transpose(1, 2).reshape(prompts, kv_heads, -1, width)
            part = attention(stacked, *group.layers[layer], scale, places.mask)
            for whole, piece in zip(found, part, strict=True):
                apart = piece.view(prompts, kv_heads, slots, shared, *piece.shape[3:])
                whole[places.rows] = apart.transpose(1, 2).flatten(0, 1)[places.taken]
        return found


class Part(NamedTuple):
    """Attention over some of the positions, not yet normalised; all float32."""

    weighted: Tensor
    """Sum of values, weighted by exp(score - peak), [batch, heads, queries, width]."""

    peak: Tensor
    """Largest score, [batch, heads, queries]."""

    total: Tensor
    """Sum of the weights, [batch, heads, queries]."""


def attention(query: Tensor, key: Tensor, value: Tensor, scale: float, mask: Tensor) -> Part:
    """Return attention with the scores q k^T scale + mask.

    query, key and value [batch, heads, positions, width], the last two contiguous; mask float32,
    broadcast to [batch, heads, queries, keys]. What is masked out is multiplied all the same, so it
    must be finite.

    For the few queries of a step of generation, batched products take half the time of the fused
    kernel, which wins where queries are many. Scores are rounded to the query's dtype, as in
    transformers' own eager attention.
    """
    batch, heads, queries, width = query.shape
    room = key.shape[2]
    keys, values = (part.view(batch * heads, room, width) for part in (key, value))
    small = query.reshape(batch * heads, queries, width)
    scores = torch.bmm(small, keys.transpose(1, 2)).float().mul_(scale)
    scores = scores.view(batch, heads, queries, room).add_(mask)
    peak = scores.amax(dim=-1)
    weights = scores.sub_(peak.unsqueeze(-1)).exp_()
    rounded = weights.to(value.dtype).view(batch * heads, queries, room)
    weighted = torch.bmm(rounded, values).view(batch, heads, queries, width)
    return Part(weighted.float(), peak, weights.sum(dim=-1))


def merge(first: Part, second: Part) -> Tensor:
    """Return softmax attention over the positions of both, float32, shaped as their `weighted`."""
    peak = torch.maximum(first.peak, second.peak)
    weighted, total = torch.zeros_like(first.weighted), torch.zeros_like(first.weighted)
    for part in (first, second):
        # As wide as the values before `exp`: see the module's docstring.
        share = (part.peak - peak).unsqueeze(-1).expand_as(weighted).contiguous().exp_()
        weighted.addcmul_(part.weighted, share)
        total.addcmul_(part.total.unsqueeze(-1).expand_as(weighted), share)
    return weighted.div_(total)


def _attention_function(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Compute attention as transformers asks for it: over a prompt, or over a cache's rows."""
    cache = current_cache()
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if cache.steps:
        result = cache.attend(query, int(module.layer_idx), scale)  # type: ignore[arg-type]
    else:
        result = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scale, enable_gqa=True
        )
    return result.transpose(1, 2).contiguous(), None


_current: list[SharedPrefixCache] = []


def current_cache() -> SharedPrefixCache:
    """Return the cache of the generation that is under way."""
    return _current[-1]


class Serving:
    """Context in which a model's attention is served by a cache."""

    def __init__(self, model: Any, cache: SharedPrefixCache) -> None:
        self.model, self.cache = model, cache

    def __enter__(self) -> SharedPrefixCache:
        self.before = self.model.config._attn_implementation
        self.model.config._attn_implementation = NAME
        _current.append(self.cache)
        return self.cache

    def __exit__(self, *_: object) -> None:
        self.model.config._attn_implementation = self.before
        _current.pop()


def _grown(tensor: Tensor, room: int) -> Tensor:
    rows, heads, used, width = tensor.shape
    # Zeros, not whatever was there: what is masked out is still multiplied, and 0 x NaN is NaN.
    grown = tensor.new_zeros(rows, heads, room, width)
    grown[:, :, :used] = tensor
    return grown


AttentionInterface.register(NAME, _attention_function)
