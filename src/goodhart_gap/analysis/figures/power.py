"""Power curves: what experiments of other sizes would find."""

from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from goodhart_gap.analysis.figures.style import MARKERS, RC, SHADES, new_figure, note_empty

STYLES: Any = ("-", "--", ":", "-.")

NAMES = {"dbdk": "DBDK"}
"""Titles of estimands that are not called by their name."""


def draw_power(rows: list[dict[str, Any]], target: float) -> Figure:
    """Draw power.csv: a row of panels a change, a panel an estimand, a line style a run count.

    There is a line a condition; markers are the simulated designs.
    """
    rows = [row for row in rows if row["power"] is not None and row["change"]]
    if not rows:
        return note_empty(new_figure(7, 1.5), "nothing varies: no power can be simulated")
    estimands = list(dict.fromkeys(row["estimand"] for row in rows))
    changes = sorted({row["change"] for row in rows})
    runs = sorted({row["runs"] for row in rows})
    with matplotlib.rc_context(RC):
        figure = new_figure(7.2, 0.9 + 2.1 * len(changes))
        panels = figure.subplots(
            len(changes), len(estimands), sharex=True, sharey=True, squeeze=False
        )
        for line, change in enumerate(changes):
            for column, estimand in enumerate(estimands):
                axes = panels[line][column]
                shown = [r for r in rows if r["change"] == change and r["estimand"] == estimand]
                _panel(axes, shown, runs)
                axes.axhline(100 * target, color="#888888", linewidth=0.8)
                name = NAMES.get(estimand, estimand)
                axes.set_title(f"{name}, {100 * change:g} points", fontsize=9)
                axes.set_xscale("log")
                axes.set_ylim(0, 102)
                axes.xaxis.set_major_formatter(ScalarFormatter())
                axes.xaxis.set_minor_formatter(NullFormatter())
        for axes in panels[-1]:
            axes.set_xlabel("tasks")
        for axes in panels[:, 0]:
            axes.set_ylabel("power (%)")
        handles = [
            matplotlib.lines.Line2D(
                [],
                [],
                color=SHADES[index % len(SHADES)],
                linestyle=STYLES[index % len(STYLES)],
                marker=MARKERS[index % len(MARKERS)],
                label=f"runs a task: {count}",
            )
            for index, count in enumerate(runs)
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(runs), frameon=False)
    return figure


def _panel(axes: Any, rows: list[dict[str, Any]], runs: list[int]) -> None:
    for index, count in enumerate(runs):
        colour = SHADES[index % len(SHADES)]
        for condition in dict.fromkeys(row["condition"] for row in rows):
            mine = [r for r in rows if r["runs"] == count and r["condition"] == condition]
            curve = sorted((r["tasks"], 100 * r["power"]) for r in mine if r["kind"] == "curve")
            points = [(r["tasks"], 100 * r["power"]) for r in mine if r["kind"] == "simulated"]
            style = STYLES[index % len(STYLES)]
            axes.plot(*zip(*curve, strict=True), style, color=colour, linewidth=1)
            marker = MARKERS[index % len(MARKERS)]
            if points:
                axes.plot(*zip(*points, strict=True), marker, color=colour, markersize=4)
