"""Faster decoding of many sequences of equal length: storage that grows, and packed query heads.

Both change how a step is computed and nothing of what is computed, and both stand aside for what
they do not know: sliding windows keep transformers' cache, masked attention keeps its function.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

_NAME = "goodhart_packed_sdpa"
_GROWTH = 64


def prepare_decoding(model: Any) -> DynamicCache:
    """Return an empty cache for `model`, and let its attention pack query heads where it can."""
    if model.config._attn_implementation == "sdpa":
        model.set_attn_implementation(_NAME)
    cache = DynamicCache(config=model.config)
    cache.layers = [GrowingLayer() if type(x) is DynamicLayer else x for x in cache.layers]
    return cache


class GrowingLayer(DynamicLayer):
    """Keys and values of one block, in storage that grows by `_GROWTH` positions at a time.

    The parent class copies all of them for every new token.
    """

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values [rows, heads, tokens, width]; return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._stored_keys, self._stored_values = key_states[:, :, :0], value_states[:, :, :0]
        used = self.get_seq_length()
        total = used + key_states.shape[-2]
        if total > self._stored_keys.shape[-2]:
            self._stored_keys = _grown(self._stored_keys, used, total + _GROWTH)
            self._stored_values = _grown(self._stored_values, used, total + _GROWTH)
        self._stored_keys[:, :, used:total] = key_states
        self._stored_values[:, :, used:total] = value_states
        return self._show(total)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Make `repeats` rows of each row."""
        used = self.get_seq_length()
        self._stored_keys = self._stored_keys.repeat_interleave(repeats, dim=0)
        self._stored_values = self._stored_values.repeat_interleave(repeats, dim=0)
        self._show(used)

    def _show(self, used: int) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = self._stored_keys[:, :, :used], self._stored_values[:, :, :used]
        self.keys, self.values = keys, values
        return keys, values


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as transformers calls it; one new token a row goes through a faster shape.

    `query` is [rows, query heads, 1, width]; heads that share a key head become positions of that
    head, [rows, key heads, heads a key head, width]. On CPU that is 3 to 4 times faster than
    `enable_gqa` (measured at 9 query heads, 3 key heads).
    """
    if query.shape[2] != 1 or attention_mask is not None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    rows, heads, _, width = query.shape
    packed = query.reshape(rows, key.shape[1], heads // key.shape[1], width)
    output = torch.nn.functional.scaled_dot_product_attention(packed, key, value, scale=scaling)
    return output.reshape(rows, 1, heads, -1), None


def _grown(tensor: torch.Tensor, used: int, room: int) -> torch.Tensor:
    rows, heads, _, width = tensor.shape
    grown = tensor.new_empty(rows, heads, room, width)
    grown[:, :, :used] = tensor[:, :, :used]
    return grown


AttentionInterface.register(_NAME, packed_attention)
AttentionMaskInterface.register(_NAME, sdpa_mask)
