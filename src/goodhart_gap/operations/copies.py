"""The local copies of files on S3: how many bytes of them lie on the disk of the results at most.

Snakemake fetches a file when the first job that reads it starts, keeps what a job has made when it
has been sent, and removes either only when the last job of the run that reads it has ended
(`DAG.handle_storage`). So it is on one machine, and on a cluster whose nodes share a disk, where
the process that submits jobs fetches and removes for all of them. Base shards then stay until the
baseline has been sampled, compressed shards until their condition has been, Hessians until every
condition is compressed. In which order jobs run is not known, and on GPUs Hessians are made many
times faster than they are used; so every file that a job of the run reads or writes counts once,
in full, but for activations: each is read by the next job of a chain alone, so two of a model.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from goodhart_gap.compression.reuse import BASE
from goodhart_gap.provenance.graph import GraphJob
from goodhart_gap.provenance.workload import Workload


@dataclass(frozen=True)
class Copies:
    """Local copies of files on S3."""

    bytes: float
    rule: str
    """The rule that makes most of them; empty where there are none."""


def copies_of(jobs: Iterable[GraphJob], workload: Workload) -> Copies:
    """Return what copies of the files of `jobs`, those that will run, can lie here at once."""
    files = {
        path
        for job in jobs
        if job.copies_here
        for path in (*job.stored, *(output.path for output in job.outputs if output.remote))
    }
    held: defaultdict[str, float] = defaultdict(float)
    passing: dict[str, float] = {}
    for path in files:
        maker, passes = _maker(Path(path))
        work = workload.work(maker)
        if passes:
            passing[maker.wildcards["model"]] = 2 * work.passing_bytes
        else:
            held[maker.rule] += work.output_bytes - work.passing_bytes
    largest = max(held, key=held.__getitem__, default="")
    return Copies(sum(held.values()) + sum(passing.values()), largest)


def _maker(path: Path) -> tuple[GraphJob, bool]:
    """Return the job that makes a large file, and whether only the next of its kind reads it.

    By its path, since jobs also read files whose makers have run before and are in no plan.
    """
    above, folder, shard = path.parts[-3], path.parts[-2], path.stem
    wildcards = {"model": above, "shard": shard}
    if folder == BASE:
        rule = "fetch_shard"
    elif above == "calibration" and folder in ("hessians", "activations"):
        rule = "accumulate_hessians"
        wildcards["model"] = path.parts[-4]
    else:
        rule = "compress_shard"
        wildcards["condition"] = folder
    passes = rule == "accumulate_hessians" and folder == "activations"
    return GraphJob.model_construct(rule=rule, wildcards=wildcards), passes
