"""Which device a job computes on."""

import torch


def available_device() -> str:
    """Return `cpu`, or `cuda` for one GPU, or `auto` for several: where a whole model goes."""
    if not torch.cuda.is_available():
        return "cpu"
    return "cuda" if torch.cuda.device_count() == 1 else "auto"


def first_device() -> str:
    """Return `cuda` where there is a GPU, else `cpu`: for jobs that hold one block at a time."""
    return "cuda" if torch.cuda.is_available() else "cpu"
