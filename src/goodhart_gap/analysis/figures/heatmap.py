"""Heat map: how often each task was explained and solved under each condition."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from goodhart_gap.analysis.figures.style import RC, new_figure

LARGEST = 60
"""With more tasks than this a row is a category, so that the figure fits a page."""


def draw_heatmap(tasks: list[dict[str, Any]], categories: list[dict[str, Any]]) -> Figure:
    """Draw by_task.csv (or by_category.csv where there are many tasks), two panels."""
    many = len({row["task"] for row in tasks}) > LARGEST
    rows = categories if many else tasks
    rows = sorted(rows, key=lambda row: str(row["category"]))
    labels = list(dict.fromkeys(_label(row, many) for row in rows))
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    with matplotlib.rc_context(RC):
        cell = max(0.62, min(1.0, 5.2 / (2 * len(conditions))))
        figure = new_figure(2.6 + 2 * cell * len(conditions), 1.6 + 0.21 * len(labels))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, key, title in zip(
            panels,
            ("understands", "executes"),
            ("explained (understands)", "solved (executes)"),
            strict=True,
        ):
            values = np.full((len(labels), len(conditions)), np.nan)
            for row in rows:
                place = (labels.index(_label(row, many)), conditions.index(row["condition"]))
                if row["evaluations"]:
                    values[place] = 100 * row[key] / row["evaluations"]
                    axes.text(
                        place[1],
                        place[0],
                        f"{row[key]}/{row['evaluations']}",
                        ha="center",
                        va="center",
                        fontsize=7,
                        color="white" if values[place] > 55 else "black",
                    )
            shown = axes.pcolormesh(
                np.arange(len(conditions) + 1) - 0.5,
                np.arange(len(labels) + 1) - 0.5,
                values,
                cmap="Greys",
                vmin=0,
                vmax=115,
                edgecolors="#bbbbbb",
                linewidth=0.6,
            )
            axes.set_title(title)
            axes.set_xticks(
                range(len(conditions)), [name.replace("-", "-\n") for name in conditions]
            )
            axes.tick_params(length=0)
            for spine in axes.spines.values():
                spine.set_visible(False)
        panels[0].set_yticks(range(len(labels)), labels)
        panels[0].invert_yaxis()
        bar = figure.colorbar(
            shown, ax=panels, orientation="horizontal", shrink=0.5, aspect=40, pad=0.02
        )
        bar.ax.set_xlim(0, 100)
        bar.set_label("share of evaluations (%)")
    return figure


def _label(row: dict[str, Any], many: bool) -> str:
    return str(row["category"]) if many else f"{row['category']}: {row['task']}"
