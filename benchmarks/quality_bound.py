"""What the quantizers of Q can do at all: the error they leave of normal noise.

A rotated weight is about normal, and no code of b bits an entry leaves less than 2^(-2b) of the
variance of normal noise (Shannon's rate-distortion function). As error feedback multiplies what the
quantizer leaves, the ratio of two quantizers' errors is about the ratio of two ways that differ in
nothing else; and a way with the same low-rank part gets no lower than the bound's ratio.
"""

from collections.abc import Iterator, Sequence

import torch

from goodhart_gap.compression import lattice, trellis
from goodhart_gap.compression.ldlq import ldlq
from goodhart_gap.compression.metric import Metric

SIZE = 1024
"""Rows and columns of the noise."""


def left_of_noise(bits: int) -> dict[str, float]:
    """Share of the variance of normal noise that each quantizer of `bits` bits leaves."""
    noise = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    feedback = Metric(torch.eye(SIZE), 0.0).natural
    found = {}
    for name, module in (("lattice", lattice), ("trellis", trellis)):
        rounder = module.Rounder(SIZE, SIZE, module.fitting_scale(noise, bits), bits)
        rounded = ldlq(noise, feedback, rounder)
        found[name] = float((noise - rounded).square().mean() / noise.square().mean())
    return found | {"bound": 4.0**-bits}


_TEXT = """## What bounds the ratio

What a quantizer leaves of normal noise, which a rotated weight is about, as a share of its
variance: the paper's lattice, our trellis, and the best conceivable code. The last columns are what
that makes of the error (the root of their ratio). The ratio of `ours` to the paper's is that of the
quantizers; a perfect code would reach the last column, and only better factors, or bits spent where
they count (`ours-budget`), get below it.

| bits | lattice | trellis | bound | trellis over lattice | bound over lattice |
|---|---|---|---|---|---|"""


def lines(bits: Sequence[int]) -> Iterator[str]:
    """The Markdown that says how near the paper's quantizer and ours are to the bound."""
    yield _TEXT
    for width in bits:
        left = left_of_noise(width)
        of_lattice = [(left[name] / left["lattice"]) ** 0.5 for name in ("trellis", "bound")]
        cells = [f"{left[name]:.4f}" for name in ("lattice", "trellis", "bound")]
        yield f"| {' | '.join([str(width), *cells, *(f'{x:.3f}' for x in of_lattice)])} |"
