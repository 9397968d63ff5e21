"""The look all figures share, and how they become deterministic SVG.

Tones differ in lightness and areas in hatching, so that a figure can be read in greyscale.
"""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

matplotlib.use("svg")

QUADRANT_COLOURS = {"KD": "#17375e", "KF": "#5b8fc2", "DK": "#f2b56b", "NN": "#eeeeee"}
QUADRANT_HATCHES = {"KD": "", "KF": "///", "DK": "...", "NN": ""}
QUADRANT_LABELS = {
    "KD": "KD: explains and solves",
    "KF": "KF: explains only",
    "DK": "DK: solves only",
    "NN": "NN: neither",
}
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">")
SHADES = ("#111111", "#7a7a7a", "#3d6fa3", "#b0632a", "#5a5a5a", "#93b7d9", "#d79b5b", "#444477")

RC: Any = {
    "svg.hashsalt": "goodhart-gap",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.6,
    "figure.facecolor": "white",
}


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """Return an empty figure with our style; layout is constrained to the page."""
    with matplotlib.rc_context(RC):
        return Figure(figsize=(width_inches, height_inches), layout="constrained")


def save_svg(figure: Figure, path: Path) -> None:
    """Write `figure` so that the same content gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(RC):
        figure.savefig(path, format="svg", metadata={"Date": None})


def note_empty(figure: Figure, message: str) -> Figure:
    """Return the figure with `message` in place of data that do not exist."""
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, message, ha="center", va="center", transform=axes.transAxes)
    return figure
