"""The four ways an understanding and an execution can go together."""

from typing import Literal

Quadrant = Literal["KD", "KF", "DK", "NN"]
"""K: the explanation holds the procedure. D: the answer is correct. KD both; KF knows but fails;
DK does but does not know; NN neither."""


def quadrant(understands: bool, executes: bool) -> Quadrant:
    """Return the quadrant of one evaluation."""
    if understands:
        return "KD" if executes else "KF"
    return "DK" if executes else "NN"
