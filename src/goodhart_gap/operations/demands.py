"""What the jobs of a run will need together: bytes at each location, GPUs, checkpoints to fetch."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goodhart_gap.provenance.graph import Graph, GraphJob
from goodhart_gap.provenance.needs import need_of
from goodhart_gap.provenance.settings import PlanSettings
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
class Demands:
    """What a run needs of the machines it runs on."""

    jobs: int
    results_bytes: float
    """Outputs that stay on the disk of the results; of those handed from job to job, two. Hessians
    that are deleted once they have been used count in full: nothing says how many wait."""
    scratch_bytes: float
    """What jobs that run at once hold there besides, when their files live on S3: those of the
    widest rule on GPUs and those of the widest on CPUs, which do not wait for each other."""
    scratch_rule: str
    """These rules."""
    storage_bytes: float
    """Outputs that go to S3."""
    gpus: GpuDemand | None
    hub: dict[str, str] = field(default_factory=dict)
    """Commit of each repository that jobs read from the hub."""


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
    local = remote = passing = 0.0
    # On CPUs alone, and on GPUs: what each rule holds at once.
    scratch: dict[bool, dict[str, float]] = {False: {}, True: {}}
    counts = Counter(job.rule for job in jobs)
    gpu: GpuDemand | None = None
    hub: dict[str, str] = {}
    for job in jobs:
        work = workload.work(job)
        size = work.output_bytes - work.passing_bytes
        passing = max(passing, 2 * work.passing_bytes)
        far = any(output.remote for output in job.outputs)
        local, remote = (local, remote + size) if far else (local + size, remote)
        need = need_of(job.rule, job.wildcards, config, settings)
        if need is not None and config.get("storage"):
            # Jobs on GPUs wait for each other: a machine has as many as the greediest asks for.
            fitting = 1 if need.gpus else max(1, cores // max(1, job.threads))
            at_once = min(counts[job.rule], fitting)
            held = at_once * need.scratch_bytes
            rules = scratch[need.gpus > 0]
            rules[job.rule] = max(rules.get(job.rule, 0), held)
        if need is not None and need.gpus and need.gpu_bytes > (gpu.bytes if gpu else 0):
            gpu = GpuDemand(need.gpus, need.gpu_bytes, job.rule)
        about = config["models"].get(workload.model(job) or "", {})
        kind, _, place = str(about.get("source", "")).partition(":")
        if kind == "hf" and job.rule in ("fetch_model", "fetch_shard"):
            hub[place] = str(about.get("revision"))
    widest = [max(rules, key=rules.__getitem__) for rules in scratch.values() if rules]
    return Demands(
        jobs=len(jobs),
        results_bytes=local + passing,
        scratch_bytes=sum(max(rules.values(), default=0.0) for rules in scratch.values()),
        scratch_rule=" and ".join(widest),
        storage_bytes=remote,
        gpus=gpu,
        hub=hub,
    )
