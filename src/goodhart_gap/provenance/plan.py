"""The audited dry run: what would run, why, for how long, and at what price.

Seconds of a job are predicted, in this order, from

- `recorded`: the manifests of jobs of the same rule and model (or experiment), scaled by work;
- `model`: the work of the job (`goodhart_gap.provenance.workload`) at the rates of
  `config/plan.yaml`;
- `start only`: the same without the work, where neither `config/plan.yaml` nor a fetched
  `config.json` tells the model's sizes.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from pydantic import ValidationError

from goodhart_gap.config.load import known_keys
from goodhart_gap.errors import GoodhartError, did_you_mean
from goodhart_gap.provenance.chain import Chain
from goodhart_gap.provenance.graph import Graph, GraphJob
from goodhart_gap.provenance.manifest import logical_path
from goodhart_gap.provenance.needs import need_of
from goodhart_gap.provenance.settings import PlanSettings
from goodhart_gap.provenance.staleness import job_differences
from goodhart_gap.provenance.workload import Work, Workload


@dataclass(frozen=True)
class PlannedJob:
    """One job that would run."""

    rule: str
    output: str
    reason: str
    seconds: float
    basis: str
    gpu_hours: float
    dollars: float
    bytes_to_storage: float
    bytes_from_storage: float
    scratch_bytes: float = 0.0
    """What must fit on its scratch disk at once; 0 where the model's sizes are not stated."""


@dataclass
class Plan:
    """All jobs that would run, and their sums."""

    jobs: list[PlannedJob] = field(default_factory=list)
    jobs_in_graph: int = 0
    longest_chain_seconds: float = 0.0
    """Duration with unlimited machines: the longest way through the graph."""

    def sums(self) -> dict[str, dict[str, float]]:
        """Return jobs, seconds, GPU-hours, dollars and bytes by rule, and in `total`."""
        found: dict[str, dict[str, float]] = {}
        for job in self.jobs:
            for name in (job.rule, "total"):
                row = found.setdefault(name, dict.fromkeys(SUMMED, 0.0) | {"jobs": 0})
                row["jobs"] += 1
                for key in SUMMED:
                    row[key] += getattr(job, key)
        found["total"] = found.pop("total", dict.fromkeys(SUMMED, 0.0) | {"jobs": 0})
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {
            "jobs_in_graph": self.jobs_in_graph,
            "longest_chain_seconds": round(self.longest_chain_seconds, 1),
            "sums": self.sums(),
            "jobs": [asdict(job) for job in self.jobs],
        }


SUMMED = ("seconds", "gpu_hours", "dollars", "bytes_to_storage", "bytes_from_storage")


def read_plan_settings(path: Path) -> PlanSettings:
    """Read rates and prices. Raises GoodhartError naming the key that is wrong."""
    try:
        return PlanSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise GoodhartError(f"{path}: no such file; give rates and prices by --rates.") from error
    except yaml.YAMLError as error:
        # In one line: yaml's own message shows the place on lines of their own.
        words = " ".join(str(error).split())
        raise GoodhartError(f"{path}: not valid YAML ({words}); correct it.") from error
    except ValidationError as error:
        # A misspelt key that is required is unknown and missing; the misspelling says more.
        found = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        first = found[0]
        location = [str(part) for part in first["loc"]]
        key = ".".join(location) or "the file"
        if first["type"] == "extra_forbidden":
            known = known_keys(location, PlanSettings)
            raise GoodhartError(
                f"{path}: {key}: unknown key{did_you_mean(location[-1], known)}; correct or remove "
                f"it; allowed here: {', '.join(known)}."
            ) from error
        raise GoodhartError(f"{path}: {key}: {first['msg']}; see docs/PROVENANCE.md.") from error


def make_plan(graph: Graph, chain: Chain, settings: PlanSettings, results: Path) -> Plan:
    """Return what would run, with every prediction."""
    workload = Workload(graph, settings, results)
    works = {job.id: workload.work(job) for job in graph.jobs}
    recorded = _recorded(graph, chain, workload, works, settings)
    sizes = _output_sizes(graph, chain, works)
    plan = Plan(jobs_in_graph=len(graph.jobs))
    ends: dict[int, float] = {}
    for job in graph.in_order():
        start = max((ends.get(need, 0.0) for need in job.needs), default=0.0)
        ends[job.id] = start
        if not job.runs:
            continue
        seconds, basis = _seconds(job, works[job.id], recorded, workload, settings)
        ends[job.id] = start + seconds
        need = need_of(job.rule, job.wildcards, graph.config, settings)
        scratch = need.scratch_bytes if need else 0.0
        planned = _planned(job, seconds, basis, chain, sizes, settings)
        plan.jobs.append(replace(planned, scratch_bytes=scratch))
    plan.longest_chain_seconds = max(ends.values(), default=0.0)
    return plan


def _devices(job: GraphJob) -> tuple[int, int]:
    """Return GPUs and CPU cores of a job."""
    return int(job.resources.get("gpu", 0)), max(1, job.threads)


def _recorded(
    graph: Graph,
    chain: Chain,
    workload: Workload,
    works: dict[int, Work],
    settings: PlanSettings,
) -> dict[tuple[str, str], float]:
    """Return, by rule and subject, how many times longer than modelled its recorded jobs took."""
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for job in graph.jobs:
        entry = chain.entries.get(logical_path(Path(job.outputs[0].path)))
        if entry is not None:
            gpus, cores = _devices(job)
            modelled = works[job.id].seconds(settings, gpus=gpus, cores=cores)
            ratios[_subject(job, workload)].append(entry.manifest.run.seconds / modelled)
    return {subject: median(values) for subject, values in ratios.items()}


def _subject(job: GraphJob, workload: Workload) -> tuple[str, str]:
    """Return what recorded jobs must share with `job` to speak for it: rule and model."""
    return job.rule, workload.model(job) or job.wildcards.get("experiment", "")


def _seconds(
    job: GraphJob,
    work: Work,
    recorded: dict[tuple[str, str], float],
    workload: Workload,
    settings: PlanSettings,
) -> tuple[float, str]:
    gpus, cores = _devices(job)
    modelled = work.seconds(settings, gpus=gpus, cores=cores)
    ratio = recorded.get(_subject(job, workload))
    if ratio is not None:
        return modelled * ratio, "recorded"
    return modelled, "model" if work.known else "start only"


def _output_sizes(graph: Graph, chain: Chain, works: dict[int, Work]) -> dict[str, float]:
    """Return bytes of every output: as recorded, else the job's modelled output, shared out."""
    sizes: dict[str, float] = {}
    for job in graph.jobs:
        for output in job.outputs:
            entry = chain.entries.get(logical_path(Path(output.path)))
            modelled = works[job.id].output_bytes / len(job.outputs)
            sizes[output.path] = entry.manifest.output.size_bytes if entry else modelled
    return sizes


def _planned(
    job: GraphJob,
    seconds: float,
    basis: str,
    chain: Chain,
    sizes: dict[str, float],
    settings: PlanSettings,
) -> PlannedJob:
    gpus, cores = _devices(job)
    to_storage = sum(sizes[output.path] for output in job.outputs if output.remote)
    from_storage = sum(sizes.get(path, 0.0) for path in job.stored)
    hours = seconds / 3600
    price = gpus * settings.gpu.dollars_per_hour + cores * settings.cpu_core.dollars_per_hour
    return PlannedJob(
        rule=job.rule,
        output=job.outputs[0].path,
        reason=_reason(job, chain),
        seconds=round(seconds, 2),
        basis=basis,
        gpu_hours=gpus * hours,
        dollars=price * hours + from_storage / 1e9 * settings.dollars_per_gigabyte_out,
        bytes_to_storage=to_storage,
        bytes_from_storage=from_storage,
    )


def _reason(job: GraphJob, chain: Chain) -> str:
    """Say by content why a job would run; Snakemake's own words where its artifact is not here."""
    entry = chain.entries.get(logical_path(Path(job.outputs[0].path)))
    if entry is not None and "change" in job.reason:
        found = list(job_differences(job, entry.manifest))
        if found:
            return "; ".join(found)
    return job.reason


def plan_text(plan: Plan) -> str:
    """Return the plan as text: reasons, then one line a rule, then the totals."""
    lines = []
    for (rule, reason), count in _reasons(plan).items():
        lines.append(f"{rule} ({count}): {reason}")
    if plan.jobs:
        lines.append("")
    header = ("rule", "jobs", "seconds", "GPU-hours", "dollars", "GB to S3", "GB from S3", "basis")
    rows = [header]
    for rule, total in plan.sums().items():
        bases = sorted({job.basis for job in plan.jobs if rule in (job.rule, "total")})
        rows.append(
            (
                rule,
                f"{total['jobs']:.0f}",
                f"{total['seconds']:,.0f}",
                f"{total['gpu_hours']:,.1f}",
                f"{total['dollars']:,.2f}",
                f"{total['bytes_to_storage'] / 1e9:,.2f}",
                f"{total['bytes_from_storage'] / 1e9:,.2f}",
                "+".join(bases),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        cells = [
            cell.ljust(width) if column in (0, len(header) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines += _scratch_lines(plan)
    lines.append(
        f"{len(plan.jobs)} of {plan.jobs_in_graph} jobs would run; at least "
        f"{plan.longest_chain_seconds:,.0f} s with any number of machines"
    )
    return "\n".join(lines) + "\n"


def _scratch_lines(plan: Plan) -> list[str]:
    """Return, for each rule whose jobs hold large files, the most that one holds at once."""
    peaks: dict[str, float] = {}
    for job in plan.jobs:
        if job.scratch_bytes:
            peaks[job.rule] = max(peaks.get(job.rule, 0.0), job.scratch_bytes)
    return [f"scratch disk of a {rule} job: {peak / 1e9:,.1f} GB" for rule, peak in peaks.items()]


def _reasons(plan: Plan) -> dict[tuple[str, str], int]:
    """Count the jobs of each rule by the kind of their reason, file names left out."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for job in plan.jobs:
        kinds = [part.partition(": ")[0] for part in job.reason.split("; ")]
        told = kinds if job.reason.startswith(("Missing", "Input", "Updated")) else [job.reason]
        counts[(job.rule, "; ".join(told))] += 1
    return counts
