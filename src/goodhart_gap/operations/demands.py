"""What the jobs of a run will need together: bytes at each location, memory, GPUs, the hub."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nlargest
from pathlib import Path
from typing import Any

from goodhart_gap.operations.copies import copies_of
from goodhart_gap.provenance.graph import Graph, GraphJob
from goodhart_gap.provenance.needs import need_of
from goodhart_gap.provenance.settings import PlanSettings
from goodhart_gap.provenance.sizes import calibration_of
from goodhart_gap.provenance.workload import Workload

HUB_METADATA_BYTES = 5e7
"""Configuration and tokenizer of one model in the Hugging Face cache; weights do not go there."""


@dataclass(frozen=True)
class GpuDemand:
    """The GPUs of the most demanding job."""

    count: int
    bytes: float
    """On all of them together."""
    rule: str

    @property
    def bytes_each(self) -> float:
        """On each."""
        return self.bytes / self.count


@dataclass(frozen=True)
class MemoryDemand:
    """The main memory of jobs of models whose sizes are stated."""

    bytes: float
    """Of the job that needs most."""
    rule: str
    together_bytes: float
    """Of jobs that may run at once: those of the widest rule on CPUs, as many as there are cores
    for, and the widest on GPUs, which do not wait for each other."""
    together_rule: str
    """These rules."""


@dataclass(frozen=True)
class Demands:
    """What a run needs of the machines it runs on."""

    jobs: int
    results_bytes: float
    """Outputs that stay on the disk of the results; of those handed from job to job, two of a
    model. Hessians that are deleted once they have been used count in full: nothing says how many
    wait."""
    scratch_bytes: float
    """What lies there besides: copies of files on S3 (`goodhart_gap.operations.copies`)."""
    scratch_rule: str
    """The rule that makes most of these files."""
    storage_bytes: float
    """Outputs that go to S3."""
    gpus: GpuDemand | None
    hub: dict[str, str] = field(default_factory=dict)
    """Commit of each repository that jobs read from the hub."""
    data_sets: dict[str, str] = field(default_factory=dict)
    """Commit of each data set that jobs stream from the hub."""
    memory: MemoryDemand | None = None


def demands_of(
    jobs: Iterable[GraphJob],
    config: Mapping[str, Any],
    settings: PlanSettings,
    results: Path,
    cores: int,
) -> Demands:
    """Return what `jobs`, those that will run, need; at most `cores` cores work at once."""
    jobs = list(jobs)
    workload = Workload(Graph(jobs=[], config=dict(config)), settings, results)
    local = remote = 0.0
    passing: dict[str | None, float] = {}
    memory = _MemoryOfJobs(cores)
    gpu: GpuDemand | None = None
    hub: dict[str, str] = {}
    data_sets: dict[str, str] = {}
    for job in jobs:
        work, model = workload.work(job), workload.model(job)
        size = work.output_bytes - work.passing_bytes
        if any(output.remote for output in job.outputs):
            remote += size
        else:
            local += size
            if work.passing_bytes:
                passing[model] = 2 * work.passing_bytes
        need = need_of(job.rule, job.wildcards, config, settings)
        if need is not None:
            memory.add(job, need.memory_bytes, on_gpus=need.gpus > 0)
            if need.gpus and need.gpu_bytes > (gpu.bytes if gpu else 0):
                gpu = GpuDemand(need.gpus, need.gpu_bytes, job.rule)
        about = config["models"].get(model or "", {})
        kind, _, place = str(about.get("source", "")).partition(":")
        if kind == "hf" and job.rule in ("fetch_model", "fetch_shard"):
            hub[place] = str(about.get("revision"))
        if job.rule == "calibration_tokens":
            calibration = calibration_of(about)
            kind, _, place = calibration.source.partition(":")
            if kind == "hf":
                data_sets[place.partition("#")[0]] = str(calibration.revision)
    copies = copies_of(jobs, workload)
    return Demands(
        jobs=len(jobs),
        results_bytes=local + sum(passing.values()),
        scratch_bytes=copies.bytes,
        scratch_rule=copies.rule,
        storage_bytes=remote,
        gpus=gpu,
        hub=hub,
        data_sets=data_sets,
        memory=memory.demand(),
    )


class _MemoryOfJobs:
    """Collects the main memory of jobs."""

    def __init__(self, cores: int) -> None:
        self._cores = cores
        # On CPUs alone, and on GPUs: of each rule, the jobs' bytes and how many fit at once.
        self._bytes: dict[bool, dict[str, list[float]]] = {
            False: defaultdict(list),
            True: defaultdict(list),
        }
        self._fitting: dict[str, int] = {}

    def add(self, job: GraphJob, size: float, *, on_gpus: bool) -> None:
        self._bytes[on_gpus][job.rule].append(size)
        # Jobs on GPUs wait for each other: a machine has as many as the greediest asks for.
        fitting = 1 if on_gpus else max(1, self._cores // max(1, job.threads))
        self._fitting[job.rule] = max(fitting, self._fitting.get(job.rule, 1))

    def demand(self) -> MemoryDemand | None:
        largest = {rule: max(of) for kind in self._bytes.values() for rule, of in kind.items()}
        if not largest:
            return None
        rule = max(largest, key=largest.__getitem__)
        at_once = [
            {rule: sum(nlargest(self._fitting[rule], of)) for rule, of in kind.items()}
            for kind in self._bytes.values()
            if kind
        ]
        widest = [max(kind, key=kind.__getitem__) for kind in at_once]
        together = sum(max(kind.values()) for kind in at_once)
        return MemoryDemand(largest[rule], rule, together, " and ".join(widest))
