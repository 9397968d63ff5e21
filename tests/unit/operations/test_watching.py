"""No job is forgotten because its state was unknown once."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from goodhart_gap.operations.watching import keep_watching


class Executor:
    """Checks jobs as the Slurm plugin does: without an answer, it returns none of them."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def report_job_success(self, job: str) -> None:
        self.ended.append(f"{job} succeeded")

    def report_job_error(self, job: str, msg: str) -> None:
        self.ended.append(f"{job} failed: {msg}")

    async def check_active_jobs(self, active_jobs: list[str]) -> AsyncIterator[str]:
        states = await self.ask()
        if states is not None:
            for job in active_jobs:
                if states[job] == "COMPLETED":
                    self.report_job_success(job)
                elif states[job] == "TIMEOUT":
                    self.report_job_error(job, msg="time")
                else:
                    yield job

    async def ask(self) -> Mapping[str, str] | None:
        return self.answer

    answer: Mapping[str, str] | None = None


def check(executor: Any, jobs: list[str]) -> list[str]:
    async def checked() -> list[str]:
        return [job async for job in executor.check_active_jobs(jobs)]

    return asyncio.run(checked())


@pytest.fixture
def executor() -> Executor:
    class Watching(Executor):
        pass

    assert check(Watching(), ["a", "b"]) == []
    keep_watching(Watching)
    keep_watching(Watching)
    return Watching()


def test_without_an_answer_all_are_asked_about_again(executor: Executor) -> None:
    assert check(executor, ["a", "b"]) == ["a", "b"]
    assert executor.ended == []


def test_what_has_ended_is_reported_once(executor: Executor) -> None:
    executor.answer = {"a": "COMPLETED", "b": "RUNNING", "c": "TIMEOUT"}
    assert check(executor, ["a", "b", "c"]) == ["b"]
    assert executor.ended == ["a succeeded", "c failed: time"]
    assert "report_job_success" not in vars(executor)
