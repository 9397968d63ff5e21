"""The four quadrants of an evaluation."""

QUADRANTS = ("KD", "KF", "DK", "NN")
"""Understands and executes; understands only; executes only; neither."""


def quadrant_of(understands: bool, executes: bool) -> str:
    """Return the quadrant of an evaluation.

    >>> quadrant_of(understands=True, executes=False)
    'KF'
    """
    if understands:
        return "KD" if executes else "KF"
    return "DK" if executes else "NN"
