"""The manuscript: rendered as Typst markup from tables, compiled to PDF without a system TeX."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import typst

from goodhart_gap.analysis.audit_document import UNITS
from goodhart_gap.analysis.documents import Rows, environment, where
from goodhart_gap.analysis.variants import VARIANTS

DATA_FILES = ("templates/PAPER.typ.jinja", "styles/paper.typ")

STYLE = Path(__file__).parent / "styles/paper.typ"

SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\#*_$<>@[]`~/"})
"""Characters that mean something to Typst."""


def paper_context(
    analysis: dict[str, Any], audit: Rows, totals: Rows, headline: Rows
) -> dict[str, Any]:
    """Extend the context of ANALYSIS.md by the audit (all empty for live experiments)."""
    facts = analysis["facts"]
    shown = [row for row in analysis["comparisons"] if not row["estimand"].startswith("share_")]
    return analysis | {
        "comparisons_shown": shown,
        "excluding": [row for row in shown if _excludes_no_change(row)],
        "audit_different": where(audit, verdict="different"),
        "totals": totals,
        "headline_shown": [
            row
            for row in where(headline, experiment=facts.experiment, estimand="dbdk")
            if row["variant"] in VARIANTS
        ],
        "units": UNITS,
        "no_digits": 0,
    }


def render_paper(context: dict[str, Any]) -> str:
    """Return the manuscript as Typst markup; every printed text is escaped."""
    made = environment()
    printable = made.finalize

    def escaped(value: Any) -> Any:
        text = printable(value) if printable else value
        return text.translate(SPECIAL) if isinstance(text, str) else text

    made.finalize = escaped
    made.filters["listing_of"] = lambda names: made.filters["listing"](list(names))
    return made.get_template("PAPER.typ.jinja").render(**context)


def compile_paper(markup: str, figures: list[Path], pdf: Path) -> None:
    """Compile markup and its SVG figures to `pdf`; the same input gives the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "figures").mkdir()
        for figure in figures:
            shutil.copy2(figure, root / "figures" / figure.name)
        shutil.copy2(STYLE, root / "paper.typ")
        (root / "main.typ").write_text(markup, encoding="utf-8")
        typst.compile(
            root / "main.typ", output=pdf, format="pdf", ignore_system_fonts=True, timestamp=0
        )


def _excludes_no_change(row: dict[str, Any]) -> bool:
    return row["low"] is not None and (row["low"] > 0 or row["high"] < 0)
