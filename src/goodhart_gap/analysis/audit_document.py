"""What AUDIT.md is rendered from."""

from typing import Any

from goodhart_gap.analysis.documents import Rows, one, where
from goodhart_gap.analysis.settings import AuditDesigns
from goodhart_gap.analysis.variants import VARIANTS, WITHOUT

DATA_FILES = ("templates/AUDIT.md.jinja",)

UNITS = {"count": "", "percent": " %", "characters": " characters"}
"""How documents write the units of stated figures."""


def audit_context(
    audit: Rows,
    totals: Rows,
    artefacts: Rows,
    headline: Rows,
    never_explained: Rows,
    designs: AuditDesigns,
    stated_file: str,
) -> dict[str, Any]:
    """Return the context of AUDIT.md.jinja."""
    experiments = dict.fromkeys(row["experiment"] for row in headline)
    grouped = {
        name: [row["task"] for row in where(never_explained, experiment=name)]
        for name in experiments
    }
    return {
        "audit": audit,
        "totals": totals,
        "artefacts": artefacts,
        "headline": headline,
        "never_explained": [
            {"name": name, "tasks": tasks} for name, tasks in grouped.items() if tasks
        ],
        "variants": VARIANTS,
        "without": WITHOUT.strip(),
        "baselines": {name: designs.experiments[name].baseline for name in experiments},
        "labels": {"dbdk": "DBDK", "gap_rate": "gap rate"},
        "units": UNITS,
        "stated_file": stated_file,
        "one": one,
        "where": where,
    }
