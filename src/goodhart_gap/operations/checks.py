"""All checks of a run: the same before its first job and by `goodhart-gap preflight`."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goodhart_gap.operations.demands import demands_of
from goodhart_gap.operations.preflight import Report, preflight, shared_gpus, shared_memory
from goodhart_gap.operations.queue import leftovers
from goodhart_gap.operations.settings import OperationsSettings
from goodhart_gap.provenance.graph import GraphJob
from goodhart_gap.provenance.settings import PlanSettings


@dataclass(frozen=True)
class Place:
    """Where a run takes place."""

    results: Path
    cores: int
    """That work at once, where jobs run here."""
    limits: Container[str] = ()
    """Resources of which Snakemake was told how many there are."""
    elsewhere: bool = False
    """Whether jobs run on other machines."""
    with_conda: bool = False
    """Whether jobs run in an environment that Snakemake makes for them."""
    own_job: str | None = None
    """The Slurm job that Snakemake itself runs in."""


def check_run(
    jobs: Iterable[GraphJob], config: Mapping[str, Any], rates: PlanSettings, place: Place
) -> Report:
    """Check that what `jobs`, those that will run, need is there."""
    demands = demands_of(jobs, config, rates, place.results, place.cores)
    operations = OperationsSettings.model_validate(config.get("operations") or {})
    report = preflight(
        demands,
        place.results,
        (config.get("storage") or {}).get("prefix"),
        here=not place.elsewhere,
        libraries_here=not place.with_conda,
        quota_bytes=operations.results_quota_bytes,
    )
    if place.elsewhere:
        report.refusals += leftovers(Path.cwd(), place.own_job)
    else:
        report.refusals += shared_gpus(demands, place.limits)
        report.lines += shared_memory(demands, place.limits)
    return report
