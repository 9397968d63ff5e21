"""Keys and values of prompts, stacked by length, and where the rows of their responses stand.

Prompts are padded to a common step, so that the shapes a response is computed in follow from its
own prompt, and those of one padded length are attended to together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_LENGTH_STEP = 32
"""Prompts are padded to a multiple of this, and those of one padded length attended to together."""


class Places(NamedTuple):
    """Where the rows of a group stand among its prompts x slots, on one device."""

    layout: Tensor
    """Row at each prompt and slot, int64 [prompts, slots]."""

    rows: Tensor
    """The group's rows, int64."""

    taken: Tensor
    """Place of each of `rows` in the flattened layout, int64."""

    mask: Tensor
    """What is added to scores, float32 [prompts, 1, 1, length]."""


class PromptGroup:
    """Prompts of one padded length: keys and values [prompts, heads, length, width] a layer."""

    def __init__(self, members: list[int], layers: list[tuple[Tensor, Tensor]], mask: Tensor):
        self.members, self.layers, self.mask = members, layers, mask
        self.slots: list[list[int]] = []
        self.places: dict[torch.device, Places] = {}

    def arrange(self, rows_of: dict[int, list[int]]) -> None:
        """Drop prompts without rows; lay out the rows of the others, free slots repeating one."""
        kept = [place for place, prompt in enumerate(self.members) if prompt in rows_of]
        if len(kept) < len(self.members):
            self.members = [self.members[place] for place in kept]
            self.layers = [
                (taken_rows(key, kept), taken_rows(value, kept)) for key, value in self.layers
            ]
            self.mask = taken_rows(self.mask, kept)
        self.slots = [rows_of[prompt] for prompt in self.members]
        self.places = {}

    def on(self, device: torch.device) -> Places:
        """Return the places of the rows on `device`: a spread model's layers are on several."""
        if device not in self.places:
            wide = max(map(len, self.slots))
            layout = [own + own[:1] * (wide - len(own)) for own in self.slots]
            rows = [row for own in self.slots for row in own]
            taken = [
                place * wide + slot
                for place, own in enumerate(self.slots)
                for slot in range(len(own))
            ]
            self.places[device] = Places(
                torch.tensor(layout, device=device),
                torch.tensor(rows, device=device),
                torch.tensor(taken, device=device),
                self.mask.to(device),
            )
        return self.places[device]


def taken_rows(tensor: Tensor, places: Sequence[int]) -> Tensor:
    """Return the given entries of the first dimension."""
    return tensor[torch.tensor(list(places), dtype=torch.int64, device=tensor.device)]


def grouped(prompts: list[list[tuple[Tensor, Tensor]]]) -> list[PromptGroup]:
    """Stack prompts of equal padded length; what is padded is masked out."""
    lengths = [layers[0][0].shape[2] for layers in prompts]
    padded = [-(-length // _LENGTH_STEP) * _LENGTH_STEP for length in lengths]
    groups = []
    for width in sorted(set(padded)):
        members = [prompt for prompt, wide in enumerate(padded) if wide == width]
        sample = prompts[members[0]][0][0]
        mask = sample.new_zeros(len(members), 1, 1, width, dtype=torch.float32)
        for place, prompt in enumerate(members):
            mask[place, :, :, lengths[prompt] :] = float("-inf")
        layers = [
            (
                torch.cat([_padded(prompts[prompt][layer][0], width) for prompt in members]),
                torch.cat([_padded(prompts[prompt][layer][1], width) for prompt in members]),
            )
            for layer in range(len(prompts[0]))
        ]
        groups.append(PromptGroup(members, layers, mask))
    return groups


def _padded(tensor: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(tensor, (0, 0, 0, width - tensor.shape[2]))
