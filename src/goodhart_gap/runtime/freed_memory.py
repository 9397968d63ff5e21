"""Give freed memory back to the operating system once a model is loaded.

The C library keeps what is freed for the next allocation. Loading frees as much as is packed at a
time and many small objects between tensors that stay, and afterwards nobody asks for that much.
"""

import ctypes
import sys


def return_freed_memory() -> None:
    """Return freed pages to the system, where the C library (glibc) has a call for that."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
