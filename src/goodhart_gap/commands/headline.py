"""What `show` prints: an experiment's quadrants, rates, changes and documents, from its tables.

Every number is a cell of a table, shown as the documents show it (`analysis.formatting`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.analysis.documents import Rows, one, where
from goodhart_gap.analysis.formatting import MISSING, counted, interval, listing, percent, points
from goodhart_gap.errors import GoodhartError, did_you_mean

if TYPE_CHECKING:
    from rich.console import RenderableType

TABLES = ("coverage", "quadrants", "rates", "comparisons")

QUADRANTS = {
    "KD": ("█", "green"),
    "KF": ("▓", "red"),
    "DK": ("▒", "yellow"),
    "NN": ("░", "bright_black"),
}
"""Quadrants in the order tables have them, each with what fills its part of the bar."""

LEGEND = "KD knows and does, KF knows but fails, DK does but doesn't know, NN neither"

RATES = {
    "executes": "executes",
    "understands": "understands",
    "dbdk": "DBDK",
    "gap_rate": "gap rate",
}
"""Rates shown, with short names."""

VERDICTS = {"different": "bold magenta", "equivalent": "bold green", "inconclusive": "yellow"}
"""Colours of verdicts; one that is refused has none, and only primary estimands are shown."""

BAR_CELLS = 20
"""Width of the bar of quadrants."""


def read_tables(folder: Path) -> dict[str, Rows]:
    """Read the tables of an experiment. Raises GoodhartError that says how to make them."""
    if not folder.is_dir():
        raise GoodhartError(_not_run(folder))
    paths = {name: folder / "tables" / f"{name}.csv" for name in TABLES}
    missing = [path for path in paths.values() if not path.is_file()]
    if missing:
        raise GoodhartError(
            f"{missing[0]}: this experiment is not finished; make it with `{make_command(folder)}`."
        )
    return {name: read_rows(path) for name, path in paths.items()}


def make_command(folder: Path) -> str:
    """Return the command that makes an experiment, with the config file that defines it."""
    from goodhart_gap.config.files import config_files, read_yaml

    target = f"snakemake --cores all {folder}/ANALYSIS.md"
    try:
        known = config_files()
    except GoodhartError:
        return target
    for file in sorted(set(Path("config").glob("*.yaml")) - set(known)):
        if folder.name in (read_yaml(file).get("experiments") or {}):
            # The target must not be taken for one more config file.
            return f"snakemake --cores all --configfile {file} -- {folder}/ANALYSIS.md"
    return target


def _not_run(folder: Path) -> str:
    """Say that an experiment has not been run, or that there is none of this name."""
    from goodhart_gap.config.files import read_yaml

    defined = {
        name
        for file in sorted(Path("config").glob("*.yaml"))
        for name in read_yaml(file).get("experiments") or {}
    }
    made = {path.parent.parent.name for path in folder.parent.glob("*/tables/rates.csv")}
    if folder.name in defined or not (defined | made):
        return f"{folder}: this experiment has not been run; make it with `{make_command(folder)}`."
    meant = did_you_mean(folder.name, sorted(defined | made))
    there = ", ".join(sorted(made)) or "none yet"
    return f"{folder}: there is no such experiment{meant}; those with results here: {there}."


def headline(experiment: str, folder: Path, tables: dict[str, Rows]) -> Iterator[RenderableType]:
    """Yield what is printed, part by part."""
    coverage = tables["coverage"]
    most = max(row["expected"] for row in coverage)
    yield Text.assemble(
        (experiment, "bold"),
        ": ",
        ", ".join(
            (
                counted(len(coverage), "condition"),
                counted(coverage[0]["tasks"], "task"),
                f"{counted(most, 'evaluation')} a condition",
            )
        ),
    )
    for row in coverage:
        if row["missing"]:
            yield Text(f"{row['condition']}: {row['missing']} evaluations are missing", "yellow")
    yield ""
    yield _quadrants(tables)
    yield Text(LEGEND, "bright_black")
    yield ""
    yield from _rates(tables)
    yield ""
    yield from _changes(tables)
    yield ""
    yield from _documents(folder)


def _table() -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("condition", overflow="fold")
    return table


def _quadrants(tables: dict[str, Rows]) -> Table:
    table = _table()
    for name, (symbol, colour) in QUADRANTS.items():
        table.add_column(Text.assemble((symbol, colour), f" {name}"), justify="right")
    table.add_column("", no_wrap=True)
    for condition in _conditions(tables):
        rows = {row["quadrant"]: row for row in where(tables["quadrants"], condition=condition)}
        counts = [str(rows[name]["count"]) for name in QUADRANTS]
        table.add_row(condition, *counts, _bar([rows[name]["share"] or 0 for name in QUADRANTS]))
    return table


def _bar(shares: list[float]) -> Text:
    bar, filled, before = Text(), 0.0, 0
    for (symbol, colour), share in zip(QUADRANTS.values(), shares, strict=True):
        filled += share
        cells = round(BAR_CELLS * filled) - before
        before += cells
        bar.append(symbol * cells, colour)
    return bar


def _rates(tables: dict[str, Rows]) -> Iterator[RenderableType]:
    """Yield the rates: value over interval."""
    table = _table()
    for name in RATES.values():
        table.add_column(name, justify="right")
    notes: dict[str, None] = {}
    for condition in _conditions(tables):
        rows = [one(tables["rates"], condition=condition, rate=name) for name in RATES]
        cells = [_cell(row, row["estimate"], percent, _bare_percent, notes) for row in rows]
        table.add_row(condition, *cells)
    yield table
    yield from _reasons(notes)


def _changes(tables: dict[str, Rows]) -> Iterator[RenderableType]:
    """Yield the changes of the rates, then the verdicts on the primary estimands."""
    comparisons = tables["comparisons"]
    compared = list(dict.fromkeys(row["condition"] for row in comparisons))
    if not compared:
        yield "There is no condition to compare with."
        return
    baseline = next(name for name in _conditions(tables) if name not in compared)
    yield Text(f"Change against {baseline}, in percentage points", "bold")
    table = _table()
    for name in RATES.values():
        table.add_column(name, justify="right")
    notes: dict[str, None] = {}
    for condition in compared:
        rows = [one(comparisons, condition=condition, estimand=name) for name in RATES]
        cells = [_cell(row, row["difference"], points, points, notes) for row in rows]
        table.add_row(condition, *cells)
    yield table
    yield from _reasons(notes)
    yield ""
    for condition in compared:
        yield _verdicts(condition, where(comparisons, condition=condition, primary=True))


def _verdicts(condition: str, rows: Rows) -> Text:
    """A line a condition: its verdicts, those with one reason together."""
    line = Text.assemble((condition, "bold"), ": ")
    grouped: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        label = row["label"].partition(",")[0]
        grouped.setdefault((row["verdict"], row["reason"]), []).append(label)
    for place, ((verdict, reason), labels) in enumerate(grouped.items()):
        word = "no verdict" if verdict == "refused" else verdict
        line.append("; " if place else "")
        line.append(word, VERDICTS.get(verdict, "yellow"))
        line.append(f" on {listing(labels)} ({_bare_note(reason)})")
    return line


def _cell(
    row: dict[str, Any],
    value: float | None,
    show: Callable[[float], str],
    show_limit: Callable[[float], str],
    notes: dict[str, None],
) -> Text:
    """Value over interval; where one is missing, `notes` gets the reason."""
    if value is None:
        notes[_bare_note(row["note"] or MISSING)] = None
        return Text(MISSING, "bright_black")
    if row["low"] is None or row["high"] is None:
        notes[_bare_note(row["method"] or MISSING)] = None
        limits = MISSING
    else:
        limits = interval(row, show_limit)
    return Text.assemble((show(value), "bold"), "\n", (limits, "bright_black"))


def _reasons(notes: dict[str, None]) -> Iterator[Text]:
    if notes:
        yield Text(f"{MISSING}: {'; '.join(notes)}", "bright_black")


def _bare_note(note: str) -> str:
    """Return the reason in a note such as `n/a (one task)`."""
    return note.removeprefix(f"{MISSING} (").removesuffix(")") if MISSING in note else note


def _bare_percent(share: float) -> str:
    return percent(share).removesuffix(" %")


def _documents(folder: Path) -> Iterator[Text]:
    found = sorted(path for path in folder.iterdir() if path.suffix in (".md", ".pdf", ".html"))
    for path in found:
        yield Text.assemble("read ", (str(path), "cyan"))
    if not found:
        yield Text(f"no documents yet; make them with `{make_command(folder)}`", "yellow")


def _conditions(tables: dict[str, Rows]) -> list[str]:
    return [row["condition"] for row in tables["coverage"]]
