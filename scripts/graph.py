"""The one place that looks inside Snakemake: describe the graph of jobs, record jobs as up to date.

    python scripts/graph.py describe graph.json [snakemake options]
    python scripts/graph.py record decisions.json [snakemake options]

`describe` writes every job of the graph, whether it would run and why (in the form of
`goodhart_gap.provenance.graph`). `record` reads `{"adopt": {output: times}, "stale": {output:
reason}}` and writes Snakemake's own metadata accordingly: an adopted output gets the record that a
run of its job would have left; a stale one gets a record whose parameters are the reason, so that
Snakemake reruns its job and prints the reason. Called by `goodhart-gap adopt` and `plan`.
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snakemake.cli import args_to_api, parse_args
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.workflow import Workflow


def describe(workflow: Workflow) -> dict[str, Any]:
    """Return every job of the graph."""
    dag = workflow.dag
    numbers = {job: number for number, job in enumerate(dag.jobs)}
    jobs = [_describe_job(dag, job, numbers) for job in numbers if not job.rule.norun]
    limits = list(workflow.global_resources)
    return {"jobs": jobs, "config": workflow.globals["config"], "limits": limits}


def _describe_job(dag: Any, job: Any, numbers: dict[Any, int]) -> dict[str, Any]:
    needrun = dag.needrun(job)
    return {
        "id": numbers[job],
        "rule": job.rule.name,
        "wildcards": dict(job.wildcards_dict),
        "inputs": [_name(file) for file in job.input],
        "stored": [_name(file) for file in job.input if file.is_storage],
        "ancient": [_name(file) for file in job.input if file.is_ancient],
        "outputs": [
            {
                "path": _name(file),
                "temporary": file in job.temp_output,
                "remote": bool(file.is_storage),
            }
            for file in job.output
        ],
        "params": {name: _text(value) for name, value in job.params.items()},
        "command": job.shellcmd if job.is_shell else None,
        "threads": job.threads,
        "resources": {
            name: value
            for name, value in job.resources.items()
            if isinstance(value, int | float | str) and not name.startswith("_")
        },
        "needs": [numbers[other] for other in dag.dependencies[job]],
        "runs": needrun,
        "reason": str(dag.reason(job)) if needrun else "",
        "benchmark": str(job.benchmark) if job.benchmark else None,
    }


def _name(file: Any) -> str:
    """Return the path by which manifests know a file, also where it lies in a storage."""
    return str(file)


def _text(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_text(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def record(workflow: Workflow, decisions: dict[str, Any]) -> dict[str, Any]:
    """Write Snakemake's metadata for adopted and for stale outputs; return how many of each."""
    counts = {"adopt": 0, "stale": 0}
    for job in workflow.dag.jobs:
        for file in job.output:
            name = _name(file)
            for verdict in counts:
                if name in decisions[verdict]:
                    entry = _record_of(workflow, job)
                    decision = decisions[verdict][name]
                    if verdict == "adopt":
                        entry.starttime, entry.endtime = decision
                    else:
                        entry.params = [repr(decision)]
                    workflow.persistence._write_record(workflow.persistence._get_key(file), entry)
                    counts[verdict] += 1
    return counts


def _record_of(workflow: Workflow, job: Any) -> MetadataRecord:
    """Return the record that Snakemake would leave if the job had just run."""
    persistence = workflow.persistence
    checksums = {
        str(file): workflow.async_run(file.checksum(persistence.max_checksum_file_size))
        for file in job.input
    }
    return MetadataRecord(
        rule=job.rule.name,
        input=persistence._input(job),
        log=persistence._log(job),
        shellcmd=job.shellcmd,
        params=persistence._params(job),
        code=persistence._code(job.rule),
        record_format_version=RECORD_FORMAT_VERSION,
        conda_env=persistence._conda_env(job),
        container_img_url=job.container_img_url,
        software_stack_hash=persistence._software_stack_hash(job),
        job_hash=hash(job),
        starttime=time.time(),
        endtime=time.time(),
        incomplete=False,
        input_checksums={name: value for name, value in checksums.items() if value is not None},
    )


def with_graph(action: Callable[[Workflow], dict[str, Any]], options: list[str]) -> dict[str, Any]:
    """Build the graph as `snakemake OPTIONS` would and apply `action`; exit with 1 on error.

    Snakemake's `--summary` builds the whole graph and then calls `Workflow.summary`; `action` takes
    its place, so that profiles, config files and every option mean what they always mean.
    """
    results: list[dict[str, Any]] = []

    def instead(workflow: Workflow, detailed: bool = False) -> None:
        workflow._prepare_dag(
            forceall=workflow.dag_settings.forceall, ignore_incomplete=True, lock_warn_only=True
        )
        workflow._build_dag()
        results.append(action(workflow))

    Workflow.summary = instead
    parser, arguments = parse_args(["--summary", *options])
    if not args_to_api(arguments, parser) or not results:
        sys.exit(1)
    return results[0]


def main(verb: str, path: Path, options: list[str]) -> None:
    """Do `verb` on the graph of `snakemake OPTIONS`."""
    # Nothing of a graph becomes garbage before this process ends; to look costs a fifth of it.
    gc.disable()
    if verb == "describe":
        path.write_text(json.dumps(with_graph(describe, options)))
    elif verb == "record":
        decisions = json.loads(path.read_text())
        counts = with_graph(lambda workflow: record(workflow, decisions), options)
        print(json.dumps(counts))
    else:
        sys.exit(f"error: {verb}: no such verb; use describe or record.")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
