"""What a table or document cost: the jobs of its chain, each counted once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from goodhart_gap.provenance.chain import Chain


@dataclass(frozen=True)
class Cost:
    """What was spent on an artifact and all it was made from."""

    jobs: int
    seconds: float
    """Wall-clock time of the jobs, one after another."""
    sampling_s: float
    """Of it, sampling responses."""
    compression_s: float
    """Of it, calibrating and compressing."""
    first: str
    """Day of the first job, as YYYY-MM-DD; blank when no manifest tells."""
    last: str
    """Day the last job ended."""


SAMPLING = frozenset({"sample_responses"})
COMPRESSION = frozenset(
    {
        "calibration_tokens",
        "accumulate_hessians",
        "compress_shard",
        "measure_sensitivity",
        "foresee_errors",
    }
)


def cost_of(chain: Chain, paths: Iterable[str]) -> Cost:
    """Return the cost of the artifacts with these logical paths together."""
    jobs: dict[tuple[str, ...], tuple[str, float, datetime]] = {}
    for path in paths:
        for ancestor in chain.ancestors(path):
            entry = chain.entries.get(ancestor)
            if entry is None:
                continue
            manifest = entry.manifest
            key = tuple(sorted(record.path for record in manifest.outputs))
            started = datetime.fromisoformat(manifest.run.started)
            jobs[key] = (manifest.job.script, manifest.run.seconds, started)
    starts = [started for _, _, started in jobs.values()]
    ends = [started + timedelta(seconds=seconds) for _, seconds, started in jobs.values()]
    return Cost(
        jobs=len(jobs),
        seconds=sum(seconds for _, seconds, _ in jobs.values()),
        sampling_s=_spent(jobs.values(), SAMPLING),
        compression_s=_spent(jobs.values(), COMPRESSION),
        first=min(starts).date().isoformat() if starts else "",
        last=max(ends).date().isoformat() if ends else "",
    )


def _spent(jobs: Iterable[tuple[str, float, datetime]], scripts: frozenset[str]) -> float:
    return sum(seconds for script, seconds, _ in jobs if script in scripts)
