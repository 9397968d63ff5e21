"""Every document of the published record, made in memory from a table of facts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goodhart_gap.analysis.analysis_document import analysis_context
from goodhart_gap.analysis.artefacts import artefact_table, headline_table, never_explained_table
from goodhart_gap.analysis.audit import audit_table, read_stated, total_table
from goodhart_gap.analysis.audit_document import audit_context
from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.documents import Rows, render
from goodhart_gap.analysis.outcomes import read_outcomes
from goodhart_gap.analysis.paper_document import paper_context, render_paper
from goodhart_gap.analysis.quadrant_document import quadrant_context
from goodhart_gap.analysis.settings import AuditDesigns, Design, ExperimentFacts
from tests.unit.analysis.workshop import QUICK, RECORDS, tables_of, write_record_outcomes

RUNS = {"published-n100": 5, "published-n20": 1}
"""The recorded experiments that the stated figures are about, and their runs a task."""

SETTINGS = QUICK.model_copy(
    update={
        "bootstrap_resamples": 50,
        "permutations": 99,
        "power_designs": (Design(tasks=20, runs=5),),
    }
)


def facts_of(experiment: str) -> ExperimentFacts:
    """Return what the documents say about a recorded experiment."""
    return ExperimentFacts(
        experiment=experiment,
        source="record",
        model="Qwen",
        baseline="baseline",
        conditions=("baseline", "uniform", "selective"),
        runs=RUNS[experiment],
        seeds=(42,),
        grader="the author's",
    )


@dataclass(frozen=True)
class Publication:
    """The tables of the record, by name, and the documents rendered from them."""

    tables: dict[str, Rows]

    def render(self, document: str) -> str:
        """Return the text of a document as it follows from the tables."""
        return DOCUMENTS[document](self.tables)


def publish(records: dict[str, Path], folder: Path) -> Publication:
    """Go from tables of facts to the tables that documents read."""
    outcomes = {}
    for name, record in records.items():
        paths = write_record_outcomes(record, folder / name, RUNS[name])
        outcomes[name] = read_outcomes(paths)
    facts = facts_of("published-n100")
    tables = tables_of(outcomes["published-n100"], folder, facts, SETTINGS)
    designs = {name: facts_of(name) for name in outcomes}
    settings = dict.fromkeys(outcomes, SETTINGS)
    stated = read_stated(RECORDS / "stated.csv")
    audit = audit_table(stated, outcomes, designs, settings)
    audits = {
        "audit": audit,
        "totals": total_table(audit),
        "artefacts": artefact_table(outcomes, designs),
        "headline": headline_table(outcomes, designs, settings),
        "never_explained": never_explained_table(outcomes),
    }
    for name, table in audits.items():
        write_csv(folder / f"{name}.csv", table)
        tables[name] = read_rows(folder / f"{name}.csv", text=("stated", "recomputed"))
    return Publication(tables)


def _analysis(tables: dict[str, Rows]) -> dict[str, Any]:
    facts = facts_of("published-n100")
    return analysis_context(tables, facts, SETTINGS, parameters=None)


def _quadrants(tables: dict[str, Rows]) -> str:
    names = ("by_task", "moves", "flips")
    context = quadrant_context(*(tables[name] for name in names), facts_of("published-n100"))
    return render("QUADRANTS.md.jinja", context)


def _audit(tables: dict[str, Rows]) -> str:
    names = ("audit", "totals", "artefacts", "headline", "never_explained")
    designs = AuditDesigns(experiments={name: facts_of(name) for name in RUNS})
    context = audit_context(*(tables[name] for name in names), designs, "stated.csv")
    return render("AUDIT.md.jinja", context)


def _paper(tables: dict[str, Rows]) -> str:
    audits = (tables[name] for name in ("audit", "totals", "headline"))
    return render_paper(paper_context(_analysis(tables), *audits))


DOCUMENTS = {
    "ANALYSIS.md": lambda tables: render("ANALYSIS.md.jinja", _analysis(tables)),
    "QUADRANTS.md": _quadrants,
    "AUDIT.md": _audit,
    "paper": _paper,
}
"""Every document, rendered from the tables."""
