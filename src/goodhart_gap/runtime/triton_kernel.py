"""Products with groupwise codes of 2, 3, 4 or 8 bits on a GPU, in Triton.

Each program turns some rows' codes into weights in registers and multiplies them with the inputs at
once, so that memory traffic is the packed matrix. A *word* is the smallest run of codes that fills
whole bytes (4 codes of 2 bits in 1 byte, 8 of 3 bits in 3, 2 of 4 bits, 1 of 8 bits); words lie in
one group each. For more inputs than `MANY` it pays to form some rows and use a matrix product.

Written on a machine without a GPU: the arithmetic is tested in Triton's interpreter, the speed not
at all; `benchmarks/gpu_linear.py` measures it.
"""

import importlib.util

import torch

from goodhart_gap.compression.format import ModuleRecord
from goodhart_gap.runtime import stored

MANY = 64
"""Inputs from which on the matrix product of `stored` is used."""

WORDS = {2: (4, 1), 3: (8, 3), 4: (2, 1), 8: (1, 1)}
"""Codes and bytes of a word, by bits."""

_TILE = 4096
"""Words a program holds at a time."""


def available() -> bool:
    """Whether Triton can be imported."""
    return importlib.util.find_spec("triton") is not None


def serves(record: ModuleRecord) -> bool:
    """Whether a module's codes are laid out for this kernel."""
    settings = record.settings
    if settings.codebook != "scalar":
        return False
    each, _ = WORDS[settings.bits]
    return settings.group_size % each == 0


def product(inputs: torch.Tensor, parts: stored.Parts, record: ModuleRecord) -> torch.Tensor:
    """Return x Q^T [n, rows] for `inputs` [n, columns], in their format."""
    if inputs.shape[0] > MANY:
        return stored.product(inputs, parts, record)
    return launch(inputs, parts, record)


def launch(inputs: torch.Tensor, parts: stored.Parts, record: ModuleRecord) -> torch.Tensor:
    """`product` by the kernel, however many inputs."""
    count = inputs.shape[0]
    rows, columns = record.shape
    settings = record.settings
    each, size = WORDS[settings.bits]
    codes, scales, zeros = parts["codes"], parts["scales"], parts.get("zeros")
    result = inputs.new_empty(count, rows)
    at_once = 1 << max(0, min(count, 16) - 1).bit_length()
    block_rows = 16 if at_once >= 16 or rows >= 4096 else 4
    words = max(16, _TILE // (block_rows * each * at_once if at_once < 16 else block_rows * each))
    grid = (-(-rows // block_rows), -(-count // at_once))
    from goodhart_gap.runtime.triton_program import multiply

    multiply[grid](
        inputs.contiguous(),
        codes,
        scales,
        codes if zeros is None else zeros,
        result,
        count,
        rows,
        columns,
        codes.shape[1],
        scales.shape[1],
        0 if zeros is None else zeros.shape[1],
        BITS=settings.bits,
        EACH=each,
        BYTES=size,
        GROUP=settings.group_size,
        CENTRED=zeros is None,
        INPUTS=at_once,
        ROWS=block_rows,
        TILE=1 << (words.bit_length() - 1),
    )
    return result
