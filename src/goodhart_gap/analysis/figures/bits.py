"""What bits buy: KL, perplexity and flips against measured bits a weight."""

from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from goodhart_gap.analysis.figures.style import MARKERS, RC, SHADES, new_figure, note_empty

Rows = list[dict[str, Any]]

STYLES: Any = ("-", "--", ":", "-.")
TICKS = (2, 3, 4, 6, 8)
DODGE = 0.012
"""Methods stand side by side by this share, so that no interval hides another."""


def draw_bits(sweep: Rows) -> Figure:
    """Draw sweep.csv: a line a method over uniform and mixed conditions, selective ones hollow."""
    rows = [row for row in sweep if row["kl"] is not None]
    if not rows:
        return note_empty(new_figure(7, 1.5), "no condition was measured on held-out text")
    methods = list(dict.fromkeys(row["method"] for row in rows))
    with matplotlib.rc_context(RC):
        figure = new_figure(7.2, 3.4)
        left, right = figure.subplots(1, 2, sharex=True)
        for index, method in enumerate(methods):
            mine = [row for row in rows if row["method"] == method]
            _series(left, mine, "kl", method, index)
            _series(right, mine, "excess_flips", method, index, scale=100)
        left.set_yscale("log")
        left.set_ylabel("KL from the base (nats a token)")
        right.axhline(0, color="black", linewidth=0.8)
        right.set_ylabel("flips over the noise floor (points)")
        for axes in (left, right):
            axes.set_xscale("log", base=2)
            axes.set_xticks(TICKS)
            axes.xaxis.set_major_formatter(ScalarFormatter())
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel("measured bits a weight")
        handles = left.get_legend_handles_labels()[0]
        if any(row["kind"] == "selective" for row in rows):
            handles.append(
                matplotlib.lines.Line2D(
                    [], [], color="#444444", marker="o", markerfacecolor="white", linestyle="none"
                )
            )
            handles[-1].set_label("selective")
        figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False)
    return figure


def _series(axes: Any, rows: Rows, value: str, method: str, index: int, scale: float = 1) -> None:
    rows = sorted((r for r in rows if r[value] is not None), key=lambda r: r["bits_per_parameter"])
    colour = SHADES[index % len(SHADES)]
    marker = MARKERS[index % len(MARKERS)]
    places = {
        row["condition"]: row["bits_per_parameter"] * (1 + DODGE * (index - 1)) for row in rows
    }
    for row in rows:
        low, high = row[f"{value}_low"], row[f"{value}_high"]
        if low is not None and high is not None and (value != "kl" or low > 0):
            place = places[row["condition"]]
            axes.plot([place, place], [scale * low, scale * high], color=colour, linewidth=1)
    line = [row for row in rows if row["kind"] != "selective"]
    axes.plot(
        [places[row["condition"]] for row in line],
        [scale * row[value] for row in line],
        STYLES[index % len(STYLES)],
        marker=marker,
        color=colour,
        markersize=5,
        linewidth=1.2,
        label=method,
    )
    hollow = [row for row in rows if row["kind"] == "selective"]
    axes.plot(
        [places[row["condition"]] for row in hollow],
        [scale * row[value] for row in hollow],
        marker,
        color=colour,
        markerfacecolor="white",
        markersize=6,
        linestyle="none",
    )
