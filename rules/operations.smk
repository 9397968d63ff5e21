"""Before the first job, checks; during the run, a watch. Neither happens in a dry run."""

import os
import subprocess

from goodhart_gap.operations.demands import demands_of
from goodhart_gap.operations.ending import answer_in_a_thread
from goodhart_gap.operations.preflight import preflight, shared_gpus
from goodhart_gap.operations.progress import expect, expected_jobs
from goodhart_gap.operations.queue import leftovers
from goodhart_gap.provenance.graph import GraphJob, GraphOutput

LOGS = CONFIG.pathvars.logs

# The job that Snakemake itself runs in, where it runs in one. Asked for now: Slurm's executor takes
# the variable away before the first job.
OWN_JOB = os.environ.get("SLURM_JOB_ID")


def check_storage():
    """End with a sentence where S3 cannot be used: while the graph is built it would be a traceback.

    One or two requests. Before the first job, an object is written and removed, too.
    """
    if not CONFIG.storage or not workflow.is_main_process:
        return
    from goodhart_gap.operations.access import look_at_storage

    try:
        look_at_storage(CONFIG.storage.prefix, CONFIG.storage.patience_s)
    except GoodhartError as error:
        sys.exit(f"error: {error}")


check_storage()


def planned_job(job):
    """One job, as the plan sees it."""
    files = [
        GraphOutput(path=str(file), temporary=False, remote=bool(file.is_storage))
        for file in job.output
    ]
    facts = {
        "id": workflow.dag.jobid(job),
        "rule": job.rule.name,
        "wildcards": dict(job.wildcards_dict),
        "threads": job.threads,
        "resources": dict(job.resources.items()),
        "outputs": files,
    }
    return GraphJob.model_construct(**facts)


def jobs_to_run():
    """The jobs that will run, as the plan sees them."""
    return [planned_job(job) for job in workflow.dag.needrun_jobs() if not job.rule.norun]


def tell_view(jobs):
    """Tell the view on the terminal what stage each rule belongs to, and how long jobs take."""
    stages = {r.name: Path(r.snakefile).stem for r in workflow.rules if not r.norun}
    expect(stages, expected_jobs(jobs, config, RATES, Path(RESULTS)))


def check_before_start(jobs):
    """Print what the run needs and what is there; end it where something is missing."""
    elsewhere = workflow.non_local_exec
    demands = demands_of(jobs, config, RATES, Path(RESULTS), 1 if elsewhere else workflow.cores)
    found = preflight(
        demands,
        Path(RESULTS),
        CONFIG.storage.prefix if CONFIG.storage else None,
        gpus_here=not elsewhere,
    )
    if elsewhere:
        found.refusals += leftovers(Path.cwd(), OWN_JOB)
    else:
        found.refusals += shared_gpus(demands, workflow.global_resources)
    print(found.text(), file=sys.stderr, flush=True)
    if found.refusals:
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
    planned = jobs_to_run()
    tell_view(planned)
    if CONFIG.operations.preflight:
        check_before_start(planned)
    answer_in_a_thread()
    start_watch(log)
