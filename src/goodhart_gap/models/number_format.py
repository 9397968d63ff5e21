"""Which number format a job computes in.

Half the bits are half the memory, and the faster way on a GPU or a CPU that multiplies bfloat16. A
CPU that does not (AVX2) is left with loops over single numbers. With torch 2.13 and one thread, a
linear layer of SmolLM2 ran at 7 Gflop/s where float32 reached 49, and a product of two plain square
matrices of 2048, the form that attention has, at 0.3 where it reached 56. So float32 is computed
with there; a bfloat16 weight is the same number in it.
"""

from collections.abc import Mapping
from typing import Any

import torch

_SUPPORTED = {
    torch.bfloat16: "_is_mkldnn_bf16_supported",
    torch.float16: "_is_mkldnn_fp16_supported",
}
"""torch's question to oneDNN, which multiplies on the CPU."""


def number_format(asked: str, stored: torch.dtype, device: Any) -> torch.dtype:
    """Return the format to compute in, for weights stored in `stored` (their config's dtype).

    `asked` is a torch name, or `auto`: `stored`, but float32 where a CPU has no instructions for
    it. `device` is one, a device map, or `auto` (GPUs). What the machine has decides, and not a
    measurement, so it is the same every time.
    """
    if asked != "auto":
        named: torch.dtype = getattr(torch, asked)
        return named
    places = device.values() if isinstance(device, Mapping) else [device]
    on_cpu = all(str(place).partition(":")[0] in ("cpu", "disk") for place in places)
    return torch.float32 if on_cpu and not _cpu_multiplies(stored) else stored


def _cpu_multiplies(stored: torch.dtype) -> bool:
    if stored not in _SUPPORTED:
        return True
    if not torch.backends.mkldnn.is_available():
        return False
    return bool(getattr(torch.ops.mkldnn, _SUPPORTED[stored])())
