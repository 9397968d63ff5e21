"""Checks before the first job: numbers for each location, and one sentence for each refusal.

    report = preflight(demands, results, storage="s3://bucket/prefix", here=True)
    print(report.text())
    report.refusals  # empty: go

Everything is looked at before anything is refused, so that one attempt names all that is missing.
"""

import os
import tempfile
from collections.abc import Callable, Container
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.operations.access import find_datasets, try_data_set, try_model, try_storage
from goodhart_gap.operations.demands import HUB_METADATA_BYTES, Demands, MemoryDemand
from goodhart_gap.operations.machine import Disk, Gpu, disk_of, gpus, used_bytes
from goodhart_gap.operations.memory import Memory, memory

SPARE_BYTES = 2e8
"""Logs, manifests, temporary files: added to what a location receives."""


@dataclass(frozen=True)
class Location:
    """A place that a run writes to."""

    name: str
    path: Path
    receives_bytes: float
    remedy: str
    lasting: bool = True
    """Whether it must outlive the container."""


@dataclass
class Report:
    """What was found."""

    lines: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the numbers, then a line for each refusal."""
        return "\n".join([*self.lines, *(f"error: {sentence}" for sentence in self.refusals)])


def locations_of(demands: Demands, results: Path) -> list[Location]:
    """Return where a run writes on this machine."""
    cache = os.environ.get("HF_HUB_CACHE") or str(
        Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface") / "hub"
    )
    found = [
        Location(
            "results",
            results,
            demands.results_bytes + demands.scratch_bytes + SPARE_BYTES,
            "free some, or move the folder to a larger disk (pathvars.results)",
        ),
        Location(
            "TMPDIR",
            Path(tempfile.gettempdir()),
            SPARE_BYTES,
            "set TMPDIR to a folder with room",
            lasting=False,
        ),
    ]
    if demands.hub:
        size = len(demands.hub) * HUB_METADATA_BYTES
        remedy = "set HF_HOME to a folder on a volume"
        found.append(Location("Hugging Face cache", Path(cache), size, remedy))
    return found


def preflight(
    demands: Demands,
    results: Path,
    storage: str | None = None,
    *,
    here: bool = True,
    libraries_here: bool = True,
    quota_bytes: float | None = None,
    disk: Callable[[Path], Disk] = disk_of,
    devices: Callable[[], list[Gpu]] = gpus,
    main_memory: Callable[[], Memory] = memory,
) -> Report:
    """Check everything. `here`: jobs run on this machine, so that its GPUs and memory are theirs.

    `libraries_here`: jobs use this environment, not one of conda. `quota_bytes`: what the results
    may hold, with what they hold already. `disk`, `devices` and `main_memory` tell what the machine
    has.
    """
    report = Report([f"Before {demands.jobs} jobs:"])
    locations = locations_of(demands, results)
    disks = [disk(location.path) for location in locations]
    for location, found in zip(locations, disks, strict=True):
        _check_disk(report, location, found)
    _check_shared(report, locations, disks)
    if demands.scratch_bytes:
        report.lines.append(
            f"  of the results, {gigabytes(demands.scratch_bytes)} are copies of files on S3, most "
            f"of them made by {demands.scratch_rule}: each stays until no job needs it"
        )
    if quota_bytes is not None:
        _check_quota(report, locations[0], quota_bytes)
    if demands.memory and here:
        _check_memory(report, demands.memory, main_memory())
    if demands.gpus:
        if here:
            _check_gpus(report, demands, devices())
        else:
            report.lines.append(
                f"  GPUs: {demands.gpus.count} of {gigabytes(demands.gpus.bytes_each)} on a node "
                f"({demands.gpus.rule}); they cannot be looked at from here"
            )
    _check_access(report, demands, storage, libraries_here)
    return report


def shared_gpus(demands: Demands, limits: Container[str]) -> list[str]:
    """Refuse jobs on GPUs of this machine where no limit makes them wait for each other.

    `limits`: the resources of which Snakemake was told how many there are.
    """
    if demands.gpus is None or "gpu" in limits:
        return []
    return [
        "gpu: jobs would start on the same GPUs at once; add --resources gpu=N, with N the number "
        "of GPUs here."
    ]


def shared_memory(
    demands: Demands, limits: Container[str], main_memory: Callable[[], Memory] = memory
) -> list[str]:
    """Warn of jobs that together may need more memory than there is, where nothing limits them."""
    if demands.memory is None or "mem_mb" in limits:
        return []
    wanted, total = demands.memory.together_bytes, main_memory().total_bytes
    if wanted <= total:
        return []
    return [
        f"warning: jobs of {demands.memory.together_rule} may need {gigabytes(wanted)} of memory "
        f"at once, and here are {gigabytes(total)}; add --resources mem_mb={int(total / 1e6)}, so "
        "that they wait for each other."
    ]


def gigabytes(size: float) -> str:
    """Return bytes as people read them."""
    return f"{size / 1e9:,.1f} GB"


def _check_disk(report: Report, location: Location, found: Disk) -> None:
    wanted, free = location.receives_bytes, found.free_bytes
    report.lines.append(
        f"  {location.name}: {location.path} ({found.kind}) receives at most {gigabytes(wanted)}, "
        f"{gigabytes(free)} are free"
    )
    if found.is_overlay and location.name == "Hugging Face cache":
        report.refusals.append(
            f"{location.path}: the {location.name} lies on the container's own layer "
            f"({found.kind}, {gigabytes(free)} free), which is small and lost with the container; "
            f"{location.remedy}."
        )
    elif wanted > free:
        report.refusals.append(
            f"{location.path}: {location.name} will receive up to {gigabytes(wanted)}, but "
            f"{gigabytes(free)} are free; {location.remedy}."
        )


def _check_quota(report: Report, results: Location, quota_bytes: float) -> None:
    """Refuse results that, with what lies there already, are more than their quota."""
    held, wanted = used_bytes(results.path), results.receives_bytes
    report.lines.append(
        f"  quota of the {results.name}: {gigabytes(quota_bytes)}, of which {gigabytes(held)} are "
        "taken"
    )
    if held + wanted > quota_bytes:
        report.refusals.append(
            f"{results.path}: {results.name} hold {gigabytes(held)} and will receive up to "
            f"{gigabytes(wanted)}, more than operations.results_quota_bytes = "
            f"{gigabytes(quota_bytes)}; {results.remedy}."
        )


def _check_shared(report: Report, locations: list[Location], disks: list[Disk]) -> None:
    """Refuse locations that each fit on a disk but not together."""
    by_mount: dict[str, list[int]] = {}
    for number, found in enumerate(disks):
        by_mount.setdefault(found.mount, []).append(number)
    for mount, numbers in by_mount.items():
        wanted = sum(locations[number].receives_bytes for number in numbers)
        free = disks[numbers[0]].free_bytes
        if wanted > free and all(locations[n].receives_bytes <= free for n in numbers):
            names = " and ".join(locations[number].name for number in numbers)
            report.refusals.append(
                f"{mount}: {names} will receive up to {gigabytes(wanted)} together, but "
                f"{gigabytes(free)} are free; free some."
            )


def _check_memory(report: Report, wanted: MemoryDemand, found: Memory) -> None:
    """Refuse a job that needs more than there is, whatever else runs."""
    report.lines.append(
        f"  memory: at most {gigabytes(wanted.bytes)} a job ({wanted.rule}), here: "
        f"{gigabytes(found.total_bytes)}"
    )
    if wanted.bytes > found.total_bytes:
        report.refusals.append(
            f"memory: {wanted.rule} needs {gigabytes(wanted.bytes)}, and here are "
            f"{gigabytes(found.total_bytes)}; run on a machine, or in a container, "
            "with more."
        )


def _check_gpus(report: Report, demands: Demands, found: list[Gpu]) -> None:
    wanted = demands.gpus
    assert wanted is not None
    free = [gpu.memory_bytes - gpu.used_bytes for gpu in found]
    told = ", ".join(f"{gpu.name} {gigabytes(gpu.memory_bytes)}" for gpu in found) or "none"
    report.lines.append(
        f"  GPUs: {wanted.count} of {gigabytes(wanted.bytes_each)} needed ({wanted.rule}), "
        f"here: {told}"
    )
    if not found:
        report.refusals.append(
            f"GPU: {wanted.rule} needs {wanted.count}, and nvidia-smi finds none here; run on a "
            "machine with GPUs, or set `gpus: false` for the model to compute on the CPU."
        )
    elif len(found) < wanted.count:
        report.refusals.append(
            f"GPU: {wanted.rule} needs {wanted.count}, and here {_are(len(found))}; run on a "
            "machine with more, or set gpu_memory_bytes in config/plan.yaml to what one has."
        )
    elif sorted(free)[-wanted.count] < wanted.bytes_each:
        report.refusals.append(
            f"GPU: {wanted.rule} needs {gigabytes(wanted.bytes_each)} on each of {wanted.count}, "
            f"but {gigabytes(sorted(free)[-wanted.count])} are free here; use larger GPUs, or set "
            "gpu_memory_bytes in config/plan.yaml so that jobs ask for more of them."
        )


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"


def _check_access(
    report: Report, demands: Demands, storage: str | None, libraries_here: bool
) -> None:
    """Try S3 and the hub, all at once: each may take seconds to fail."""
    tries: dict[str, Callable[[], None]] = {}
    if storage:
        line = f"S3: {storage} receives {gigabytes(demands.storage_bytes)}, "
        tries[f"{line}written and removed an object"] = partial(try_storage, storage)
    for name, revision in demands.hub.items():
        tries[f"model: {name} at {revision[:12]} may be read"] = partial(try_model, name, revision)
    for name, revision in demands.data_sets.items():
        line = f"data set: {name} at {revision[:12]} may be read"
        tries[line] = partial(try_data_set, name, revision)
        if libraries_here:
            tries["`datasets` is installed"] = partial(find_datasets, name)
    with ThreadPoolExecutor() as pool:
        futures = {line: pool.submit(action) for line, action in tries.items()}
    for line, future in futures.items():
        try:
            future.result()
            report.lines.append(f"  {line}")
        except GoodhartError as error:
            report.refusals.append(str(error))
