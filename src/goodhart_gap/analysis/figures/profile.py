"""Sensitivity of every block by several measures, one panel each."""

from typing import Any

import matplotlib
from matplotlib.figure import Figure

from goodhart_gap.analysis.figures.style import RC, new_figure

Rows = list[dict[str, Any]]


def draw_profile(blocks: Rows, labels: dict[str, str]) -> Figure:
    """Draw blocks.csv: bars over depth with their intervals; critical blocks are dark."""
    shown = {name: label for name, label in labels.items() if name in blocks[0]}
    with matplotlib.rc_context(RC):
        figure = new_figure(7.2, 0.5 + 1.25 * len(shown))
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, label) in zip(panels, shown.items(), strict=True):
            for row in (each for each in blocks if each[name] is not None):
                colour = "#17375e" if row["critical"] else "#b9cbe0"
                axes.bar(row["block"], row[name], color=colour, edgecolor="#444444", linewidth=0.5)
                low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
                if low is not None and high is not None:
                    axes.plot([row["block"]] * 2, [low, high], color="black", linewidth=0.8)
            axes.set_title(label, fontsize=9, loc="left")
            axes.margins(x=0.01)
        panels[-1].set_xlabel("block compressed alone (dark: output KL above the others)")
    return figure
