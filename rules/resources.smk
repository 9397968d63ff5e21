"""What jobs ask for: a constant for small models, else what follows from the sizes of the model.

A job that was ended for want of memory or time asks for more at its next attempt (profiles set the
number of retries).
"""

import math
from functools import cache

from goodhart_gap.provenance.needs import COMPRESS_THREADS, need_of
from goodhart_gap.provenance.plan import read_plan_settings

try:
    RATES = read_plan_settings(Path(workflow.basedir) / "config/plan.yaml")
except GoodhartError as error:
    sys.exit(f"error: {error}")


def need(rule, wildcards):
    """The Need of a job, None where constants do."""
    return _need(rule, tuple(wildcards.items()))


@cache
def _need(rule, wildcards):
    """Worked out once: every resource of a job asks for it."""
    return need_of(rule, dict(wildcards), config, RATES)


def memory_of(rule, small_mb):
    """Return an input function for `mem_mb`: at least `small_mb`; more at each attempt."""

    def mem_mb(wildcards, attempt):
        found = need(rule, wildcards)
        return attempt * max(small_mb, 0 if found is None else math.ceil(found.memory_bytes / 1e6))

    return mem_mb


def minutes_of(rule, small):
    """Return an input function for `runtime`, in minutes: at least `small`; more at each attempt."""

    def runtime(wildcards, attempt):
        found = need(rule, wildcards)
        return attempt * max(small, 0 if found is None else found.minutes)

    return runtime


def disk_of(rule):
    """Return an input function for `disk_mb`: scratch disk, counted for large models only."""

    def disk_mb(wildcards):
        found = need(rule, wildcards)
        return 1000 if found is None else math.ceil(found.scratch_bytes / 1e6)

    return disk_mb


def gpus_of(rule):
    """Return an input function for `gpu`: how many GPUs a job computes on."""

    def gpu(wildcards):
        found = need(rule, wildcards)
        return 0 if found is None else found.gpus

    return gpu


EARLY, FIRST = 1, 10
"""Priorities of what conditions are made with: FIRST for jobs of several cores, EARLY for small ones.

A job of all cores does not find them free again before all ready jobs of one core have ended, and in
the end each condition would be sampled alone. Two small jobs together may not outweigh a large one."""


def compress_threads(wildcards):
    """CPU threads of a compress job."""
    return 2 if need("compress_shard", wildcards) is None else COMPRESS_THREADS
