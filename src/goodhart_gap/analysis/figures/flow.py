"""Flow of evaluations from the baseline's quadrants to those of each condition."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from goodhart_gap.analysis.figures.style import (
    QUADRANT_COLOURS,
    QUADRANT_HATCHES,
    QUADRANT_LABELS,
    RC,
    new_figure,
    note_empty,
)
from goodhart_gap.analysis.quadrants import QUADRANTS

WIDTH, GAP = 0.09, 0.04


def draw_flow(rows: list[dict[str, Any]], baseline: str) -> Figure:
    """Draw transitions.csv: a panel a condition, ribbons as wide as the pairs they carry."""
    conditions = [
        name
        for name in dict.fromkeys(row["condition"] for row in rows)
        if any(row["pairs"] for row in rows if row["condition"] == name)
    ]
    if not conditions:
        return note_empty(new_figure(7, 1.5), "no pair of runs to compare")
    columns = min(3, len(conditions))
    lines = -(-len(conditions) // columns)
    with matplotlib.rc_context(RC):
        figure = new_figure(7.2, 0.8 + 3.1 * lines)
        panels = np.atleast_1d(figure.subplots(lines, columns, squeeze=False)).ravel()
        for axes, condition in zip(panels, conditions, strict=False):
            _panel(axes, [row for row in rows if row["condition"] == condition], baseline)
        for axes in panels:
            axes.set_axis_off()
        figure.supxlabel(
            "pairs of evaluations (same task, seed and run); grey ribbons stay in their quadrant",
            fontsize=8,
        )
        handles = [
            Rectangle(
                (0, 0),
                1,
                1,
                fc=QUADRANT_COLOURS[name],
                hatch=QUADRANT_HATCHES[name],
                ec="black",
                label=QUADRANT_LABELS[name],
            )
            for name in QUADRANTS
        ]
        figure.legend(
            handles=handles, loc="outside upper center", ncols=4, frameon=False, fontsize=8
        )
    return figure


def _panel(axes: Any, rows: list[dict[str, Any]], baseline: str) -> None:
    total = rows[0]["pairs"]
    counts = {(row["from"], row["to"]): row["count"] / total for row in rows}
    whole = {(row["from"], row["to"]): row["count"] for row in rows}
    before = {name: sum(counts[(name, other)] for other in QUADRANTS) for name in QUADRANTS}
    after = {name: sum(counts[(other, name)] for other in QUADRANTS) for name in QUADRANTS}
    top_before, top_after = _tops(before), _tops(after)
    for name, tops, heights, x in (
        *((name, top_before, before, 0.0) for name in QUADRANTS),
        *((name, top_after, after, 1.0 - WIDTH) for name in QUADRANTS),
    ):
        if heights[name]:
            axes.add_patch(
                Rectangle(
                    (x, tops[name] - heights[name]),
                    WIDTH,
                    heights[name],
                    fc=QUADRANT_COLOURS[name],
                    hatch=QUADRANT_HATCHES[name],
                    ec="black",
                    lw=0.6,
                )
            )
            axes.text(
                -0.03 if x == 0 else 1.03,
                tops[name] - heights[name] / 2,
                f"{name} {round(heights[name] * total)}",
                ha="right" if x == 0 else "left",
                va="center",
                fontsize=8,
            )
    left, right = dict(top_before), dict(top_after)
    for source in QUADRANTS:
        for target in QUADRANTS:
            height = counts[(source, target)]
            if not height:
                continue
            ribbon = _ribbon(left[source], right[target], height)
            stays = source == target
            axes.add_patch(
                PathPatch(
                    ribbon,
                    fc="#dddddd" if stays else QUADRANT_COLOURS[target],
                    ec="#999999" if stays else "black",
                    lw=0.4,
                    alpha=0.9,
                    zorder=1 if stays else 2,
                )
            )
            if not stays:
                step = 0.08 + 0.05 * QUADRANTS.index(source)
                x, y = _along(left[source] - height / 2, right[target] - height / 2, step)
                axes.text(
                    x,
                    y,
                    str(whole[(source, target)]),
                    ha="center",
                    va="center",
                    fontsize=6.5,
                    zorder=3,
                    bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.85},
                )
            left[source] -= height
            right[target] -= height
    axes.set_xlim(-0.25, 1.25)
    axes.set_ylim(-0.02, 1 + 3 * GAP + 0.1)
    axes.text(0, 1 + 3 * GAP + 0.03, baseline, ha="left", fontsize=8.5)
    axes.text(1, 1 + 3 * GAP + 0.03, rows[0]["condition"], ha="right", fontsize=8.5)


def _tops(heights: dict[str, float]) -> dict[str, float]:
    tops, level = {}, 1 + 3 * GAP
    for name in QUADRANTS:
        tops[name] = level
        level -= heights[name] + GAP
    return tops


def _along(left: float, right: float, step: float) -> tuple[float, float]:
    """Return the point of a ribbon's middle line at Bezier parameter `step`, near its source."""
    weights = ((1 - step) ** 3, 3 * (1 - step) ** 2 * step, 3 * (1 - step) * step**2, step**3)
    x = sum(w * at for w, at in zip(weights, (WIDTH, 0.5, 0.5, 1 - WIDTH), strict=True))
    y = sum(w * at for w, at in zip(weights, (left, left, right, right), strict=True))
    return (x, y)


def _ribbon(top_left: float, top_right: float, height: float) -> Path:
    x0, x1 = WIDTH, 1 - WIDTH
    points = [
        (x0, top_left),
        (0.5, top_left),
        (0.5, top_right),
        (x1, top_right),
        (x1, top_right - height),
        (0.5, top_right - height),
        (0.5, top_left - height),
        (x0, top_left - height),
        (x0, top_left),
    ]
    curve = Path.CURVE4
    codes = [Path.MOVETO, curve, curve, curve, Path.LINETO, curve, curve, curve, Path.CLOSEPOLY]
    return Path(points, [int(code) for code in codes])
