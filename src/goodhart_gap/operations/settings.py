"""Settings of the checks before a run and of the watch during it."""

from pydantic import Field

from goodhart_gap.settings import Settings


class OperationsSettings(Settings):
    """What is checked before the first job, and when a run stops by itself."""

    preflight: bool = True
    """Check disks, memory, GPUs and access before the first job."""

    every_s: float = Field(default=60.0, gt=0)
    """Seconds between two lines of `logs/monitor.jsonl`; also how often limits are looked at."""

    least_disk_bytes: float = Field(default=1e9, ge=0)
    """Free bytes on the disk of the results below which the run stops cleanly: running jobs end,
    no new ones start."""

    results_quota_bytes: float | None = Field(default=None, gt=0)
    """What the folder of results may hold, where a quota allows less than the disk has free: no
    file system tells. Preflight counts what lies there already; `least_disk_bytes` of it are kept
    free."""

    least_memory_bytes: float = Field(default=2.5e8, ge=0)
    """The same as `least_disk_bytes` for available main memory, of the machine or, where that is
    less, of the container."""
