"""`goodhart-gap overview`: write README.md of a folder of results, from what is there.

No job of the workflow runs. The table (runs.csv) and the page are made by scripts, so that both
have manifests and `verify` checks every number.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.code_digest import SCRIPTS


def overview(results: Path) -> Path:
    """Write `results`/README.md and return it. Raises GoodhartError where nothing has run."""
    tables = [path.parent for path in sorted(results.glob("*/tables/comparisons.csv"))]
    tables = [folder for folder in tables if (folder / "outcomes.csv").is_file()]
    if not tables:
        raise GoodhartError(
            f"{results}: no experiment has tables here; run the workflow first, or name its folder."
        )
    page, runs = results / "README.md", results / "runs.csv"
    outcomes = [folder / "outcomes.csv" for folder in tables]
    _run("tabulate_runs", ["--results", results, "--outcomes", *outcomes, "--runs", runs])
    rates = [folder / "rates.csv" for folder in tables]
    comparisons = [folder / "comparisons.csv" for folder in tables]
    arguments: list[str | Path] = ["--runs", runs, "--rates", *rates, "--comparisons", *comparisons]
    _run("write_overview", [*arguments, "--document", page])
    return page


def _run(script: str, arguments: Sequence[str | Path]) -> None:
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, arguments)]
    if subprocess.run(command, check=False).returncode:
        raise GoodhartError(f"{arguments[-1]}: was not written; see the message above.")
