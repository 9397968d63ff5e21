"""Power curves: what experiments of other sizes would find."""

from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from goodhart_gap.analysis.figures.style import RC, new_figure, note_empty

Rows = list[dict[str, Any]]

LINES: tuple[tuple[str, str, float], ...] = (
    ("#b5b5b5", "-", 3.2),
    ("#111111", "--", 1.2),
    ("#3d6fa3", ":", 2.0),
    ("#b0632a", "-.", 1.0),
)
"""Colour, style and width of each condition's lines: later ones show on top of earlier ones."""

TICKS = (10, 100, 1000)
LABELLED = (30.0, 50.0, 70.0)
"""Power (%) near which curves are labelled with their number of runs, in turn, fewest first."""


def draw_power(rows: Rows, target: float) -> Figure:
    """Draw power.csv: a row of panels a change, a panel an estimand, a line a condition and runs.

    Markers are the simulated designs; numbers on the curves are runs a task.
    """
    rows = [row for row in rows if row["power"] is not None and row["change"]]
    if not rows:
        return note_empty(new_figure(7, 1.5), "nothing varies, or too few tasks: no power to show")
    labels = list(dict.fromkeys(row["label"] for row in rows))
    changes = sorted({row["change"] for row in rows})
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    with matplotlib.rc_context(RC):
        figure = new_figure(7.6, 1.1 + 1.95 * len(changes))
        panels = figure.subplots(len(changes), len(labels), sharex=True, sharey=True, squeeze=False)
        for line, change in enumerate(changes):
            for column, label in enumerate(labels):
                axes = panels[line][column]
                shown = [r for r in rows if r["change"] == change and r["label"] == label]
                axes.axhline(100 * target, color="#555555", linewidth=0.8, linestyle=(0, (1, 2)))
                for index, condition in enumerate(conditions):
                    mine = [row for row in shown if row["condition"] == condition]
                    _curves(axes, mine, index, labelled=index == 0)
                axes.set_title(f"{label.split(',')[0]}, {100 * change:g} points", fontsize=8.5)
        first = panels[0][0]
        first.set_xscale("log")
        first.set_ylim(0, 102)
        first.xaxis.set_major_locator(FixedLocator(TICKS))
        first.xaxis.set_major_formatter(ScalarFormatter())
        first.xaxis.set_minor_locator(NullLocator())
        for axes in panels[-1]:
            axes.set_xlabel("tasks")
        for axes in panels[:, 0]:
            axes.set_ylabel("power (%)")
        figure.legend(
            handles=_handles(conditions, target),
            loc="outside upper center",
            ncols=2,
            frameon=False,
            fontsize=8,
        )
    return figure


def _curves(axes: Any, rows: Rows, index: int, *, labelled: bool) -> None:
    """Draw one condition's curve and simulated designs, for each number of runs."""
    colour, style, width = LINES[index % len(LINES)]
    for place, runs in enumerate(sorted({row["runs"] for row in rows})):
        mine = sorted((r for r in rows if r["runs"] == runs), key=lambda row: row["tasks"])
        curve = [(row["tasks"], 100 * row["power"]) for row in mine if row["kind"] == "curve"]
        points = [(row["tasks"], 100 * row["power"]) for row in mine if row["kind"] == "simulated"]
        axes.plot(*zip(*curve, strict=True), linestyle=style, color=colour, linewidth=width)
        if points:
            axes.plot(*zip(*points, strict=True), **_marker(index))
        if labelled:
            level = LABELLED[place % len(LABELLED)]
            near = min(curve, key=lambda point: abs(point[1] - level))
            axes.annotate(
                str(runs),
                near,
                ha="center",
                va="center",
                fontsize=7,
                zorder=5,
                bbox={"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none"},
            )


def _marker(index: int) -> dict[str, Any]:
    colour = LINES[index % len(LINES)][0]
    return {
        "marker": "osD^"[index % 4],
        "linestyle": "none",
        "markersize": 4.5,
        "markerfacecolor": colour if index % 2 == 0 else "white",
        "markeredgecolor": "#111111",
        "markeredgewidth": 0.8,
        "zorder": 4 + index,
    }


def _handles(conditions: list[str], target: float) -> list[Artist]:
    """Legend entries: a condition each, the target, and what the numbers mean."""
    handles: list[Artist] = []
    for index, condition in enumerate(conditions):
        colour, style, width = LINES[index % len(LINES)]
        marker = _marker(index) | {"linestyle": style}
        label = f"{condition} (marker: a simulated design)"
        handles.append(Line2D([], [], color=colour, linewidth=width, label=label, **marker))
    handles.append(
        Line2D(
            [],
            [],
            color="#555555",
            linewidth=0.8,
            linestyle=(0, (1, 2)),
            label=f"power of {100 * target:g} %",
        )
    )
    handles.append(Line2D([], [], linestyle="none", label="numbers on curves: runs a task"))
    return handles
