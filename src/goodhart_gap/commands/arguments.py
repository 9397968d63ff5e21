"""Arguments and options that several commands share, and what a shell completes them with."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer


def experiments(incomplete: str) -> list[str]:
    """Return the experiments of the configuration that start like this."""
    return _names("experiments", incomplete)


def conditions(incomplete: str) -> list[str]:
    """Return the conditions of the configuration that start like this."""
    return _names("conditions", incomplete)


def models(incomplete: str) -> list[str]:
    """Return the models of the configuration that start like this."""
    return _names("models", incomplete)


def _names(section: str, incomplete: str) -> list[str]:
    from goodhart_gap.config.files import read_raw

    try:
        found: Iterable[str] = read_raw().get(section, {})
    except Exception:
        return []  # A shell that asks for a completion has no use for an error.
    return sorted(name for name in found if name.startswith(incomplete))


RESULTS = Path("results")
RATES = Path("config/plan.yaml")

ResultsFolder = Annotated[Path, typer.Argument(help="Folder of results.", show_default=False)]

Results = Annotated[Path, typer.Option("--results", help="Folder of results.")]

Rates = Annotated[Path, typer.Option("--rates", help="Rates and prices to predict with.")]

Experiment = Annotated[
    str,
    typer.Argument(help="Name of the experiment.", autocompletion=experiments, show_default=False),
]

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--configfile",
        metavar="FILE",
        help="Config file to read after the workflow's own; may be given several times.",
        show_default=False,
    ),
]

SnakemakeOptions = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[-- OPTION...]",
        help="Options for snakemake, after two dashes.",
        show_default=False,
    ),
]
