"""Forest plot: paired differences against the baseline, with their intervals."""

from typing import Any

import matplotlib
from matplotlib.figure import Figure

from goodhart_gap.analysis.figures.style import MARKERS, RC, SHADES, new_figure, note_empty


def draw_forest(rows: list[dict[str, Any]], margin: float, confidence: float) -> Figure:
    """Draw comparisons.csv (quadrant shares left out); the band is the equivalence margin."""
    rows = [row for row in rows if not row["estimand"].startswith("share_")]
    if not rows:
        return note_empty(new_figure(7, 1.5), "no condition is compared with the baseline")
    labels = list(dict.fromkeys(row["label"] for row in rows))
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    step = 0.8 / len(conditions)
    with matplotlib.rc_context(RC):
        figure = new_figure(7.2, 1.4 + 0.22 * len(labels) * max(2, len(conditions)))
        axes = figure.add_subplot()
        axes.axvspan(
            -100 * margin, 100 * margin, color="#e6e6e6", zorder=0, label="equivalence margin"
        )
        axes.axvline(0, color="black", linewidth=0.8, zorder=1)
        for index, condition in enumerate(conditions):
            for row in (each for each in rows if each["condition"] == condition):
                height = labels.index(row["label"]) + (index + 0.5) * step - 0.4
                _draw_row(axes, row, height, index)
            axes.plot(
                [],
                [],
                MARKERS[index % len(MARKERS)],
                color=SHADES[index % len(SHADES)],
                label=condition,
            )
        axes.set_yticks(range(len(labels)), [label.replace(", ", "\n") for label in labels])
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlabel(
            "change against the baseline (percentage points)\n"
            f"with {100 * confidence:g} % intervals clustered by task"
        )
        figure.legend(loc="outside upper center", ncols=min(4, len(conditions) + 1), frameon=False)
    return figure


def _draw_row(axes: Any, row: dict[str, Any], height: float, index: int) -> None:
    if row["difference"] is None:
        axes.text(0, height, f"  {row['note']}", va="center", fontsize=7, style="italic")
        return
    colour = SHADES[index % len(SHADES)]
    if row["low"] is not None:
        axes.plot([100 * row["low"], 100 * row["high"]], [height] * 2, color=colour, linewidth=1.4)
    else:
        note = f"no interval {row['method'].removeprefix('n/a ')}"
        axes.annotate(
            note,
            (100 * row["difference"], height),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=6,
            style="italic",
        )
    axes.plot(
        100 * row["difference"],
        height,
        MARKERS[index % len(MARKERS)],
        color=colour,
        markersize=6.5,
        markeredgecolor="white",
        markeredgewidth=0.5,
    )
