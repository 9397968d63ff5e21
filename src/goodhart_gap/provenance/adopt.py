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
from goodhart_gap.provenance.staleness import Hashes, differences

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
    result = Adoption()
    for job in graph.jobs:
        if not _is_here(job, chain):
            result.absent.append(job)
        elif found := differences(job, chain, hashes):
            result.stale.append((job, found))
        else:
            result.adopted.append(job)
    return result


def _is_here(job: GraphJob, chain: Chain) -> bool:
    """Whether all lasting outputs are here (or on S3), and all temporary ones are on record."""
    for output in job.outputs:
        path = logical_path(Path(output.path))
        lasting = not (output.temporary or output.remote)
        if lasting and not chain.file(path).is_file():
            return False
        if not lasting and path not in chain.entries:
            return False
    return True


def adopt(adoption: Adoption, chain: Chain, options: Sequence[str]) -> None:
    """Put a judgement into effect: modification times, then Snakemake's metadata."""
    times: dict[str, tuple[float, float]] = {}
    for job in adoption.adopted:
        for output in job.outputs:
            entry = chain.entries[logical_path(Path(output.path))]
            started = datetime.fromisoformat(entry.manifest.run.started).timestamp()
            times[output.path] = (started, started + entry.manifest.run.seconds)
            if entry.file.is_file():
                modified = entry.manifest.output.modified_ns
                os.utime(entry.file, ns=(modified, modified))
        _age_sources(job, chain)
    reasons = {
        output.path: "; ".join(found) for job, found in adoption.stale for output in job.outputs
    }
    record_decisions(times, reasons, options)


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
