"""Before the first job, checks; during the run, a watch. Neither happens in a dry run."""

import os
import subprocess

from goodhart_gap.operations.demands import demands_of
from goodhart_gap.operations.preflight import preflight
from goodhart_gap.provenance.graph import GraphJob, GraphOutput

LOGS = CONFIG.pathvars.get("logs", "logs")


def jobs_to_run():
    """The jobs that will run, as the plan sees them."""
    return [
        GraphJob.model_construct(
            rule=job.rule.name,
            wildcards=dict(job.wildcards_dict),
            threads=job.threads,
            outputs=[
                GraphOutput(path=str(file), temporary=False, remote=bool(file.is_storage))
                for file in job.output
            ],
        )
        for job in workflow.dag.needrun_jobs()
        if not job.rule.norun
    ]


def check_before_start():
    """Print what the run needs and what is there; end it where something is missing."""
    demands = demands_of(jobs_to_run(), config, RATES, Path(RESULTS), workflow.cores or 1)
    report = preflight(
        demands,
        Path(RESULTS),
        CONFIG.storage.prefix if CONFIG.storage else None,
        gpus_here=not workflow.non_local_exec,
    )
    print(report.text(), file=sys.stderr, flush=True)
    if report.refusals:
        sys.exit(1)


def start_watch(log):
    """Start the watch beside this process."""
    command = [sys.executable, "-m", "goodhart_gap.operations.monitor"]
    command += ["--pid", str(os.getpid()), "--results", RESULTS]
    command += ["--file", f"{LOGS}/monitor.jsonl", "--log", str(log)]
    command += ["--settings", CONFIG.operations.model_dump_json()]
    environment = os.environ | {"PYTHONPATH": f"{workflow.basedir}/src"}
    subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)


onstart:
    if CONFIG.operations.preflight:
        check_before_start()
    start_watch(log)
