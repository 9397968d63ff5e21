"""Giving main memory that is no longer used back to the system. Imports nothing heavy."""

import ctypes
import sys


def give_back() -> None:
    """Hand freed memory back to the system, where the C library can (glibc).

    Large tensors come from the heap and small ones that live longer lie between them, so without
    this a job that works through many matrices seems to need more the more of them there are, and
    a loaded model keeps what loading it took.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
