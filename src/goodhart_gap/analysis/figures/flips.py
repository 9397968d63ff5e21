"""Flips of quadrants under compression beside what repeating the baseline flips by itself."""

from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from goodhart_gap.analysis.figures.style import RC, new_figure

KINDS = {
    "within": ("#dddddd", "", "two runs of the condition itself"),
    "same_run": ("#8aa9c9", "///", "baseline against condition, same run number"),
    "other_run": ("#3b5a7d", "", "baseline against condition, other run number"),
}


def draw_flips(rows: list[dict[str, Any]], baseline: str, confidence: float) -> Figure:
    """Draw flips.csv: a group of bars a condition and the baseline's noise floor as a line."""
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    shares = {(row["condition"], row["kind"]): row for row in rows}
    with matplotlib.rc_context(RC):
        figure = new_figure(7, 1.9 + 0.55 * len(conditions))
        axes = figure.add_subplot()
        kinds = {kind: look for kind, look in KINDS.items() if _has_share(rows, kind)}
        handles: list[Artist] = [
            Patch(fc=colour, hatch=hatch, ec="black", label=label)
            for colour, hatch, label in kinds.values()
        ]
        handles += [
            Line2D([], [], linestyle="none", label=f"{label}: {_note(rows, kind)}")
            for kind, (_, _, label) in KINDS.items()
            if kind not in kinds and _note(rows, kind)
        ]
        floor = shares[(baseline, "within")]["share"]
        for index, (kind, (colour, hatch, _)) in enumerate(kinds.items()):
            for place, condition in enumerate(conditions):
                row = shares.get((condition, kind))
                if row is None:
                    continue
                middle = (len(kinds) - 1) / 2
                height = place + (index - middle) * 0.27 if condition != baseline else place
                if row["share"] is None:
                    axes.text(0, height, f" {row['note']}", va="center", fontsize=7)
                    continue
                axes.barh(
                    height,
                    100 * row["share"],
                    height=0.25,
                    color=colour,
                    hatch=hatch,
                    edgecolor="black",
                    linewidth=0.6,
                )
                if row["low"] is not None:
                    ends = [100 * row["low"], 100 * row["high"]]
                    axes.plot(ends, [height] * 2, color="white", linewidth=2.6)
                    axes.plot(ends, [height] * 2, color="black", linewidth=1)
        if floor is not None:
            axes.axvline(100 * floor, color="black", linestyle="--", linewidth=1)
            label = "noise floor of the baseline"
            handles.append(Line2D([], [], color="black", linestyle="--", label=label))
        label = f"{100 * confidence:g} % interval, clustered by task"
        handles.append(Line2D([], [], color="black", linewidth=1, label=label))
        axes.set_yticks(range(len(conditions)), conditions)
        axes.set_ylim(len(conditions) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.set_xlabel("pairs of evaluations of one task whose quadrants differ (%)")
        figure.legend(
            handles=handles, loc="outside upper center", ncols=2, frameon=False, fontsize=8
        )
    return figure


def _has_share(rows: list[dict[str, Any]], kind: str) -> bool:
    return any(row["kind"] == kind and row["share"] is not None for row in rows)


def _note(rows: list[dict[str, Any]], kind: str) -> str:
    return next((str(row["note"]) for row in rows if row["kind"] == kind and row["note"]), "")
