"""`plan`, `preflight` and `bisect`: what a run would take, and which run is next."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from goodhart_gap.commands.arguments import (
    RATES,
    Experiment,
    Rates,
    SnakemakeOptions,
)

Results = Annotated[
    Path | None,
    typer.Option("--results", help="Folder of results; else the config's.", show_default=False),
]


def plan(
    options: SnakemakeOptions = None,
    results: Results = None,
    rates: Rates = RATES,
    json: Annotated[
        Path | None,
        typer.Option(help="Write the plan as JSON, job by job, too.", show_default=False),
    ] = None,
) -> None:
    """Say what would run, why, for how long, at what price. Nothing is run.

    Times come from the manifests of earlier jobs, else from the size of the model and the rates of
    config/plan.yaml. Reasons are told by content: which setting, which input, which code changed.

    **Example**

        goodhart-gap plan
        goodhart-gap plan -- --configfile config/qwen2-72b-n100.yaml
    """
    from goodhart_gap.files import write_json
    from goodhart_gap.provenance.chain import read_chain
    from goodhart_gap.provenance.graph import read_graph
    from goodhart_gap.provenance.plan import make_plan, plan_text, read_plan_settings

    started = time.monotonic()
    settings = read_plan_settings(rates)
    graph = read_graph(options or [])
    results = results or Path(graph.results)
    chain = read_chain(results, empty=True)
    made = make_plan(graph, chain, settings, results)
    seconds = round(time.monotonic() - started, 1)
    print(plan_text(made), end="")
    print(f"{made.jobs_in_graph} jobs planned in {seconds} s")
    if json:
        write_json(json, made.as_json() | {"planning_seconds": seconds})


def preflight(
    options: SnakemakeOptions = None,
    rates: Rates = RATES,
    results: Results = None,
    cores: Annotated[int, typer.Option(help="Cores that will work.")] = os.cpu_count() or 1,
    elsewhere: Annotated[
        bool, typer.Option("--elsewhere", help="Jobs run on other machines.")
    ] = False,
) -> None:
    """Check that what a run needs is there: disk, memory, GPUs, credentials, the hub, S3.

    Every run does this by itself before its first job. Here it is done alone, in seconds. The exit
    status is 1 where something is missing.

    **Example**

        goodhart-gap preflight -- --configfile config/qwen2-72b-n100.yaml --resources gpu=2
    """
    from goodhart_gap.operations.checks import Place, check_run
    from goodhart_gap.provenance.graph import read_graph
    from goodhart_gap.provenance.plan import read_plan_settings

    graph = read_graph(options or [])
    place = Place(
        results=results or Path(graph.results),
        cores=cores,
        limits=graph.limits,
        elsewhere=elsewhere,
        own_job=os.environ.get("SLURM_JOB_ID"),
    )
    jobs = [job for job in graph.jobs if job.runs]
    report = check_run(jobs, graph.config, read_plan_settings(rates), place)
    print(report.text())
    raise typer.Exit(1 if report.refusals else 0)


def bisect(
    experiment: Experiment,
    options: SnakemakeOptions = None,
    family: Annotated[
        str | None,
        typer.Option(
            help="Family of protected sets; else the experiment's first.", show_default=False
        ),
    ] = None,
) -> None:
    """Search the smallest protected set of blocks that is enough.

    Asks snakemake for the outcomes of one member of the family after another, and halves the range
    each time. What each step found is kept as a table of the experiment.

    **Example**

        goodhart-gap bisect layer-ablation --family last-of-3bit -- --cores 2
    """
    from goodhart_gap.bisect import bisect as search

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    steps = search(experiment, family, options or ["--cores", "all"], say)
    found = steps.iloc[-1]["smallest_enough"]
    print("no set of the family is enough" if found != found else f"smallest enough: {int(found)}")
