"""Draw an experiment's figures from its tables."""

import argparse

from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.figures.flips import draw_flips
from goodhart_gap.analysis.figures.flow import draw_flow
from goodhart_gap.analysis.figures.forest import draw_forest
from goodhart_gap.analysis.figures.heatmap import draw_heatmap
from goodhart_gap.analysis.figures.power import draw_power
from goodhart_gap.analysis.figures.quadrants import draw_quadrants
from goodhart_gap.analysis.figures.style import save_svg
from goodhart_gap.script import Script

script = Script(__doc__)
for table in (
    "quadrants",
    "by-task",
    "by-category",
    "comparisons",
    "flips",
    "transitions",
    "power",
):
    script.input(f"--{table}")
script.value("--baseline")
script.value("--margin", float)
script.value("--confidence", float)
script.value("--power-target", float)
for figure in ("quadrants", "tasks", "differences", "flips", "flow", "power"):
    script.output(f"--{figure}-figure")


def main(args: argparse.Namespace) -> None:
    baseline = args.baseline
    save_svg(draw_quadrants(read_rows(args.quadrants)), args.quadrants_figure)
    save_svg(draw_heatmap(read_rows(args.by_task), read_rows(args.by_category)), args.tasks_figure)
    save_svg(
        draw_forest(read_rows(args.comparisons), args.margin, args.confidence),
        args.differences_figure,
    )
    save_svg(draw_flips(read_rows(args.flips), baseline, args.confidence), args.flips_figure)
    save_svg(draw_flow(read_rows(args.transitions), baseline), args.flow_figure)
    save_svg(draw_power(read_rows(args.power), args.power_target), args.power_figure)


if __name__ == "__main__":
    script.run(main)
