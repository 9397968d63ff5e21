"""Stacked bars: how the evaluations of each condition fall into the quadrants."""

from typing import Any

import matplotlib
from matplotlib.figure import Figure

from goodhart_gap.analysis.figures.style import (
    QUADRANT_COLOURS,
    QUADRANT_HATCHES,
    QUADRANT_LABELS,
    RC,
    new_figure,
)
from goodhart_gap.analysis.quadrants import QUADRANTS


def draw_quadrants(rows: list[dict[str, Any]]) -> Figure:
    """Draw quadrants.csv: a horizontal bar a condition."""
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    with matplotlib.rc_context(RC):
        figure = new_figure(7, 1.5 + 0.42 * len(conditions))
        axes = figure.add_subplot()
        left = dict.fromkeys(conditions, 0.0)
        for quadrant in QUADRANTS:
            shares = {row["condition"]: row for row in rows if row["quadrant"] == quadrant}
            widths = [100 * shares[condition]["share"] for condition in conditions]
            axes.barh(
                conditions,
                widths,
                left=[left[condition] for condition in conditions],
                color=QUADRANT_COLOURS[quadrant],
                hatch=QUADRANT_HATCHES[quadrant],
                edgecolor="black",
                linewidth=0.6,
                height=0.68,
                label=QUADRANT_LABELS[quadrant],
            )
            for condition, width in zip(conditions, widths, strict=True):
                if width >= 3:
                    axes.text(
                        left[condition] + width / 2,
                        condition,
                        str(shares[condition]["count"]),
                        ha="center",
                        va="center",
                        fontsize=8,
                        bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none"},
                    )
                left[condition] += width
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("share of evaluations (%); numbers in the bars are counts")
        figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    return figure
