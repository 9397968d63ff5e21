"""`goodhart-gap bisect`: ask Snakemake for one protected set after another, until one is smallest.

What is finished is reused, as in any run: a set costs an assembly and the sampling of its
responses. The steps are written to results/{experiment}/tables/search-{family}.csv, with a
manifest.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from goodhart_gap.analysis.outcomes import read_outcomes
from goodhart_gap.analysis.searches import SearchFacts, entries_of, walk
from goodhart_gap.config.load import load_config
from goodhart_gap.config.schema import Config, LiveExperiment
from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.code_digest import SCRIPTS
from goodhart_gap.provenance.graph import read_graph

COUNTED = ("first", "last")
"""What a family may vary for its members to be in order."""


def bisect(
    experiment: str,
    family: str | None,
    options: Sequence[str],
    say: Callable[[str], None],
    graph: Callable[[Sequence[str]], Any] = read_graph,
) -> pd.DataFrame:
    """Run the search and return its steps; `options` go to Snakemake (`--cores 2`)."""
    config = load_config(graph(options).config)
    facts = search_facts(config, experiment, family)
    results = Path(config.pathvars.results)
    files: dict[str, list[Path]] = {}
    asked = facts.baseline
    while asked:
        wanted = outcome_files(config, results, experiment, asked)
        say(f"{asked}: asking for {len(wanted)} outcome files")
        make(wanted, options)
        files[asked] = wanted
        tables = {name: read_outcomes(paths) for name, paths in files.items()}
        steps, asked = walk(facts, tables)
        if len(steps):
            step = steps.iloc[-1]
            word = "enough" if step["enough"] else "not enough"
            interval = f"{100 * step['low']:+.1f} to {100 * step['high']:+.1f}"
            say(
                f"{step['protected']} blocks protected: execution "
                f"{100 * step['difference']:+.1f} points ({interval}), {word}"
            )
    table = results / experiment / "tables" / f"search-{facts.family}.csv"
    write(table, [path for paths in files.values() for path in paths], facts)
    return steps


def search_facts(config: Config, experiment: str, family: str | None) -> SearchFacts:
    """Return what the search needs to know. Raises GoodhartError for what cannot be searched."""
    known = config.experiments.get(experiment)
    if not isinstance(known, LiveExperiment):
        live = [
            name for name, each in config.experiments.items() if isinstance(each, LiveExperiment)
        ]
        raise GoodhartError(
            f"experiment '{experiment}': no such live experiment; name one of {', '.join(live)}."
        )
    counted = {
        name: each for name, each in config.condition_families.items() if each.kind in COUNTED
    }
    if family is None:
        inside = [
            name
            for name, each in counted.items()
            if set(each.members(name)) <= set(known.conditions)
        ]
        if not inside:
            raise GoodhartError(
                f"experiment '{experiment}': none of its families protects first or last blocks; "
                "name one with --family."
            )
        family = inside[0]
    if family not in counted:
        raise GoodhartError(
            f"--family {family}: no such family that protects first or last blocks; name one of "
            f"{', '.join(counted) or 'condition_families'}."
        )
    members = counted[family].members(family)
    return SearchFacts(
        experiment=experiment,
        family=family,
        baseline=known.baseline,
        entries=entries_of(
            [(name, each.protect.first + each.protect.last) for name, each in members.items()]
        ),
        margin=known.statistics.equivalence_margin,
        confidence=known.statistics.confidence,
    )


def outcome_files(config: Config, results: Path, experiment: str, condition: str) -> list[Path]:
    """Return the outcomes of one condition of an experiment, whether or not it names it."""
    known = config.experiments[experiment]
    folder = results / experiment / "outcomes" / condition
    return [
        folder / f"seed{seed}" / f"run{run}.json"
        for seed in known.seeds
        for run in range(known.runs)
    ]


def make(files: Sequence[Path], options: Sequence[str]) -> None:
    """Let Snakemake make `files`. Raises GoodhartError when it fails."""
    command = [sys.executable, "-m", "snakemake", *(str(path) for path in files), *options]
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode:
        raise GoodhartError(f"snakemake did not make {files[0]}; see its messages above.")


def write(table: Path, outcomes: Sequence[Path], facts: SearchFacts) -> None:
    """Write the table of the search by its script, which leaves a manifest beside it."""
    command = [sys.executable, str(SCRIPTS / "tabulate_search.py"), "--outcomes"]
    command += [*map(str, outcomes), "--facts", facts.model_dump_json(), "--search", str(table)]
    if subprocess.run(command, check=False).returncode:
        raise GoodhartError(f"{table}: was not written; see the messages above.")
