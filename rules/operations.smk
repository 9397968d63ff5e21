"""Before the first job, checks; during the run, a watch. Neither happens in a dry run."""

import os
import subprocess

from snakemake.settings.types import SharedFSUsage

from goodhart_gap.operations.checks import Place, check_run
from goodhart_gap.operations.ending import answer_in_a_thread
from goodhart_gap.operations.progress import expect, expected_jobs
from goodhart_gap.provenance.graph import GraphJob, GraphOutput

LOGS = CONFIG.pathvars.logs

# The job that Snakemake itself runs in, where it runs in one. Asked for now: Slurm's executor takes
# the variable away before the first job.
OWN_JOB = os.environ.get("SLURM_JOB_ID")


def planned_job(job):
    """One job, as the plan sees it."""
    files = [
        GraphOutput(path=str(file), temporary=False, remote=bool(file.is_storage))
        for file in job.output
    ]
    shared = SharedFSUsage.STORAGE_LOCAL_COPIES in workflow.storage_settings.shared_fs_usage
    facts = {
        "id": workflow.dag.jobid(job),
        "rule": job.rule.name,
        "wildcards": dict(job.wildcards_dict),
        "threads": job.threads,
        "resources": dict(job.resources.items()),
        "stored": [str(file) for file in job.input if file.is_storage],
        "outputs": files,
        "copies_here": shared or job.is_local,
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
    place = Place(
        results=Path(RESULTS),
        # Asked for where jobs run elsewhere, it ends the run.
        cores=1 if workflow.non_local_exec else workflow.cores,
        limits=workflow.global_resources,
        elsewhere=workflow.non_local_exec,
        with_conda=DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method,
        own_job=OWN_JOB,
    )
    found = check_run(jobs, config, RATES, place)
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
