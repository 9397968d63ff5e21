"""Jobs stay watched when nobody can say how they are.

Where Slurm gives no answer to several questions in a row, as while its controller restarts, its
plugin (2.8.0) neither reports the jobs it asked about nor asks about them again: Snakemake would
wait for them for ever.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any


def keep_watching(executor: Any) -> None:
    """Let `check_active_jobs` of an executor class return each job that it has not reported."""
    check = executor.check_active_jobs
    if hasattr(check, "keeps_watching"):
        return

    async def check_active_jobs(self: Any, active_jobs: Sequence[Any]) -> AsyncIterator[Any]:
        left = {id(job): job for job in active_jobs}

        def noticing(report: Callable[..., None]) -> Callable[..., None]:
            def reported(job: Any, *rest: Any, **more: Any) -> None:
                left.pop(id(job), None)
                report(job, *rest, **more)

            return reported

        self.report_job_success = noticing(self.report_job_success)
        self.report_job_error = noticing(self.report_job_error)
        try:
            async for job in check(self, active_jobs):
                left.pop(id(job), None)
                yield job
        finally:
            del self.report_job_success, self.report_job_error
        for job in left.values():
            yield job

    check_active_jobs.keeps_watching = True  # type: ignore[attr-defined]
    executor.check_active_jobs = check_active_jobs
