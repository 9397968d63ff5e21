"""Adopt results that another clone made: what is still true becomes up to date, the rest stale.

Every job of today's graph whose artifacts are here is compared with their manifests, by content.
For a job without a difference Snakemake is given the record it would have kept itself, and the
files get their recorded modification times, so that nothing is rerun. For a job with differences
it is given a record that differs, with the differences as text, so that it reruns the job and says
why. An artifact without a manifest, or that does not fit it, is never adopted.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from goodhart_gap.provenance.chain import Chain
from goodhart_gap.provenance.graph import Graph, GraphJob, record_decisions
from goodhart_gap.provenance.manifest import logical_path
from goodhart_gap.provenance.remote import RemoteFiles, compare, remember_time
from goodhart_gap.provenance.staleness import Hashes, differences
from goodhart_gap.storage.store import PATIENCE_S, Store

CHECKSUM_LIMIT_BYTES = 1_000_000
"""Snakemake compares larger inputs by time, whatever their checksum."""


@dataclass
class Adoption:
    """What became of each job of the graph."""

    adopted: list[GraphJob] = field(default_factory=list)
    stale: list[tuple[GraphJob, list[str]]] = field(default_factory=list)
    absent: list[GraphJob] = field(default_factory=list)
    """Jobs none of whose files are here."""


def judge(graph: Graph, chain: Chain) -> Adoption:
    """Compare every job of the graph with the manifests of its artifacts; changes nothing."""
    hashes = Hashes()
    remote = remote_files(graph, chain)
    result = Adoption()
    for job in graph.jobs:
        if not _is_here(job, chain, remote):
            result.absent.append(job)
        elif found := [*differences(job, chain, hashes), *_remote_differences(job, remote)]:
            result.stale.append((job, found))
        else:
            result.adopted.append(job)
    return result


def remote_files(graph: Graph, chain: Chain) -> RemoteFiles:
    """Return what S3 holds of the graph's artifacts; nothing where no storage is configured."""
    paths = {output.path for job in graph.jobs for output in job.outputs if output.remote}
    storage = graph.config.get("storage")
    if not storage or not paths:
        return RemoteFiles()
    store = Store(storage["prefix"], storage.get("patience_s", PATIENCE_S))
    names = {Path(path).relative_to(graph.results).as_posix(): path for path in paths}
    entries = {name: chain.entries.get(logical_path(Path(path))) for name, path in names.items()}
    return compare(store, {n: entry for n, entry in entries.items() if entry})


def _is_here(job: GraphJob, chain: Chain, remote: RemoteFiles) -> bool:
    """Whether all lasting outputs are here or on S3, and all temporary ones are on record."""
    for output in job.outputs:
        path = logical_path(Path(output.path))
        if output.temporary or output.remote:
            if path not in chain.entries:
                return False
            if not output.temporary and path in remote.absent:
                return False
        elif not chain.file(path).is_file():
            return False
    return True


def _remote_differences(job: GraphJob, remote: RemoteFiles) -> list[str]:
    """Return which outputs of a job are on S3 with other bytes than their manifests say."""
    paths = [logical_path(Path(output.path)) for output in job.outputs if not output.temporary]
    return [f"{path} {remote.other[path]}" for path in paths if path in remote.other]


def adopt(adoption: Adoption, graph: Graph, chain: Chain, options: Sequence[str]) -> None:
    """Put a judgement into effect: modification times, then Snakemake's metadata."""
    times: dict[str, tuple[float, float]] = {}
    modified = modification_times(adoption, graph, chain)
    for job in adoption.adopted:
        for output in job.outputs:
            path = logical_path(Path(output.path))
            entry = chain.entries[path]
            started = datetime.fromisoformat(entry.manifest.run.started).timestamp()
            times[output.path] = (started, started + entry.manifest.run.seconds)
            if entry.file.is_file():
                os.utime(entry.file, ns=(modified[path], modified[path]))
            elif output.remote and modified[path] != entry.manifest.output.modified_ns:
                remember_time(entry.file, entry.manifest.output.sha256, modified[path])
        _age_sources(job, chain)
    reasons = {
        output.path: "; ".join(found) for job, found in adoption.stale for output in job.outputs
    }
    record_decisions(times, reasons, options)


def modification_times(adoption: Adoption, graph: Graph, chain: Chain) -> dict[str, int]:
    """Return when each adopted artifact was modified (ns since 1970), by logical path.

    That is what its manifest says, unless it was made again, with the same bytes, after something
    that was made from it: then it gets the earlier time of that, so that no clock calls stale what
    is true.
    """
    adopted = {job.id for job in adoption.adopted}
    times: dict[str, int] = {}
    limits: dict[str, int] = {}
    for job in reversed(list(graph.in_order())):
        if job.id not in adopted:
            continue
        outputs = [logical_path(Path(output.path)) for output in job.outputs]
        for path in outputs:
            recorded = chain.entries[path].manifest.output.modified_ns
            times[path] = min(recorded, limits.get(path, recorded))
        oldest = min(times[path] for path in outputs)
        for path in {logical_path(Path(name)) for name in job.inputs}:
            limits[path] = min(oldest, limits.get(path, oldest))
    return times


def _age_sources(job: GraphJob, chain: Chain) -> None:
    """Make large files that no job made older than what was made from them.

    A checkout makes them new, and Snakemake compares large inputs by time alone. Their contents
    were compared just now.
    """
    manifests = [chain.entries[logical_path(Path(o.path))].manifest for o in job.outputs]
    started = min(datetime.fromisoformat(m.run.started).timestamp() for m in manifests)
    for path in job.inputs:
        file = Path(path)
        if logical_path(file) in chain.entries or not file.is_file():
            continue
        status = file.stat()
        if status.st_size > CHECKSUM_LIMIT_BYTES and status.st_mtime > started:
            os.utime(file, (status.st_atime, started))
