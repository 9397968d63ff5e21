"""Snakemake that asks Slurm every second. The plugin waits ten seconds longer after every answer
that brings nothing new, which is right on a cluster and wastes a test's time.

    python -m tests.servers.impatient [snakemake options]
"""

import sys

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

if __name__ == "__main__":
    Executor.next_seconds_between_status_checks = property(  # type: ignore[assignment]
        lambda self: 1.0, lambda self, value: None
    )
    main(sys.argv[1:])
