"""What leaving blocks uncompressed gives back: KL over the number or the place of the blocks."""

from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from goodhart_gap.analysis.figures.style import MARKERS, RC, SHADES, new_figure, note_empty

Rows = list[dict[str, Any]]

STYLES: Any = ("-", "--", ":", "-.")
COUNTED = ("first", "last")
VARIES = {
    "first": "first blocks",
    "last": "last blocks",
    "block": "one block",
    "window": "a run of blocks",
    "only": "one block compressed",
}


def draw_ablation(sweep: Rows) -> Figure:
    """Draw sweep.csv: KL against how many blocks are protected, and against where they are.

    Below it, the excess of flips over the noise floor, in the same order.
    """
    members = [row for row in sweep if row["kind"] == "family" and row["kl"] is not None]
    counted = [row for row in members if row["varies"] in COUNTED]
    placed = [row for row in members if row["varies"] in ("block", "window")]
    columns = [part for part in (counted, placed) if part]
    if not columns:
        return note_empty(new_figure(7, 1.5), "no family of protected blocks was measured")
    with matplotlib.rc_context(RC):
        figure = new_figure(7.2, 5.2)
        panels = figure.subplots(2, len(columns), sharex="col", sharey="row", squeeze=False)
        for column, rows in enumerate(columns):
            key = "protected" if rows is counted else "first_protected"
            label = "protected blocks" if rows is counted else "first protected block"
            families = list(dict.fromkeys(row["family"] for row in rows))
            for index, family in enumerate(families):
                shown = [row for row in rows if row["family"] == family]
                reused = {row["reused"] for row in shown}
                whole = [row for row in sweep if row["condition"] in reused]
                start = whole if rows is counted else []
                place = index if rows is counted else index + 2
                _line(panels[0][column], start + shown, key, "kl", place, shown[0])
                flips = [row for row in start + shown if row["excess_flips"] is not None]
                _line(panels[1][column], flips, key, "excess_flips", place, shown[0], scale=100)
                if rows is placed:
                    for row in whole[: 1 if index == 0 else 0]:
                        panels[0][column].axhline(row["kl"], color="#888888", linewidth=0.8)
            panels[1][column].axhline(0, color="black", linewidth=0.8)
            panels[1][column].set_xlabel(label)
            panels[1][column].xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[0][0].set_ylabel("KL from the base\n(nats a token)")
        panels[1][0].set_ylabel("flips over the\nnoise floor (points)")
        panels[0][0].set_ylim(bottom=0)
        handles = [line for axes in panels[0] for line in axes.get_legend_handles_labels()[0]]
        figure.legend(
            handles=handles,
            title="what stays uncompressed (the rest from)",
            loc="outside upper center",
            ncols=2 if len(handles) > 2 else len(handles),
            frameon=False,
        )
    return figure


def _line(
    axes: Any, rows: Rows, key: str, value: str, index: int, about: dict[str, Any], scale: float = 1
) -> None:
    rows = sorted(rows, key=lambda row: row[key] or 0)
    # Families stand side by side, so that no interval hides another.
    places = [(row[key] or 0) + 0.15 * (index % 3 - 1) for row in rows]
    colour = SHADES[index % len(SHADES)]
    for row, place in zip(rows, places, strict=True):
        low, high = row[f"{value}_low"], row[f"{value}_high"]
        if low is not None and high is not None:
            axes.plot([place, place], [scale * low, scale * high], color=colour, linewidth=1)
    axes.plot(
        places,
        [scale * row[value] for row in rows],
        STYLES[index % len(STYLES)],
        marker=MARKERS[index % len(MARKERS)],
        color=colour,
        markersize=5,
        linewidth=1.2,
        label=f"{VARIES[about['varies']]} ({about['reused']})",
    )
