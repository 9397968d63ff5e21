"""How far a run is, and how long it will still take.

The workflow says before its first job what each one should take (`expect`, from the sizes of its
model); Snakemake's events say what happens. What jobs of a rule took so far corrects what the
others should take, and how many ran at once on average turns their sum into a time.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goodhart_gap.provenance.graph import Graph, GraphJob
from goodhart_gap.provenance.settings import PlanSettings
from goodhart_gap.provenance.workload import Workload

OTHER = "jobs"
"""Stage of every rule where the workflow has told none."""

LEAST_SHARE = 0.1
"""What is at least left of a running job, as a share of what it has taken."""

LEAST_AT_ONCE = 0.5
"""Jobs that run at once on average, at least: a run that waits much has seen too little."""


@dataclass
class Expectation:
    """What the workflow told before its first job."""

    stages: dict[str, str] = field(default_factory=dict)
    """Stage of each rule, in the order data flows."""

    jobs: dict[int, tuple[str, float]] = field(default_factory=dict)
    """Rule of each job and the seconds it should take, by Snakemake's number for it."""


EXPECTED = Expectation()
"""Of the run of this process; Snakemake loads its loggers before it reads a workflow."""


def expect(stages: Mapping[str, str], jobs: Mapping[int, tuple[str, float]]) -> None:
    """Say what stage each rule belongs to, and how long each job should take."""
    EXPECTED.stages, EXPECTED.jobs = dict(stages), dict(jobs)


def expected_jobs(
    jobs: Iterable[GraphJob], config: Mapping[str, Any], settings: PlanSettings, results: Path
) -> dict[int, tuple[str, float]]:
    """Return rule and seconds of each job, as `plan` would say without a record."""
    workload = Workload(Graph(jobs=[], config=dict(config)), settings, results)
    return {
        job.id: (
            job.rule,
            workload.work(job).seconds(
                settings, gpus=int(job.resources.get("gpu", 0)), cores=max(1, job.threads)
            ),
        )
        for job in jobs
    }


@dataclass
class Job:
    """A job that has started."""

    number: int
    rule: str
    text: str
    """What it does, in the words of its rule."""
    logs: tuple[Path, ...]
    started: float


@dataclass
class Failure:
    """A job that failed for good or will be tried again."""

    job: Job
    reason: str


class Run:
    """The state of a run; every method may be called from any thread. Times are seconds."""

    def __init__(self, expected: Expectation = EXPECTED) -> None:
        self.lock = threading.RLock()
        self.expected = expected
        self.counts: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self.running: dict[int, Job] = {}
        self.failures: dict[int, Failure] = {}
        self.started: float | None = None
        self._finished: dict[int, tuple[str, float]] = {}

    def plan(self, counts: Mapping[str, int]) -> None:
        """Take over how many jobs of each rule will run."""
        with self.lock:
            self.counts = {rule: count for rule, count in counts.items() if rule != "total"}

    def start(self, job: Job) -> None:
        """Note that a job has started."""
        with self.lock:
            self.started = job.started if self.started is None else self.started
            self.running[job.number] = job
            self.failures.pop(job.number, None)

    def finish(self, number: int, now: float) -> Job | None:
        """Note that a job is done; return it, if its start was noted."""
        with self.lock:
            job = self.running.pop(number, None)
            if job is not None:
                self.done[job.rule] = self.done.get(job.rule, 0) + 1
                self._finished[number] = (job.rule, now - job.started)
            return job

    def fail(self, number: int, reason: str) -> Job | None:
        """Note that a job has failed; return it, if its start was noted."""
        with self.lock:
            job = self.running.pop(number, None)
            if job is not None:
                self.failures[number] = Failure(job, reason)
            return job

    @property
    def jobs_done(self) -> int:
        """How many jobs are done."""
        return sum(done for _, done, _ in self.stages())

    @property
    def jobs(self) -> int:
        """How many jobs there are."""
        return sum(count for _, _, count in self.stages())

    def is_work(self, rule: str) -> bool:
        """Whether a rule makes something; a mere target belongs to no stage."""
        return not self.expected.stages or rule in self.expected.stages

    def stages(self) -> list[tuple[str, int, int]]:
        """Return stage, jobs done and jobs of each stage that has any, in order."""
        with self.lock:
            order = list(dict.fromkeys(self.expected.stages.values()))
            sums: dict[str, tuple[int, int]] = {}
            for rule, count in self.counts.items():
                if self.is_work(rule):
                    stage = self.expected.stages.get(rule, OTHER)
                    done, jobs = sums.get(stage, (0, 0))
                    sums[stage] = (done + self.done.get(rule, 0), jobs + count)
        return [(name, *sums[name]) for name in (*order, OTHER) if name in sums]

    def seconds_left(self, now: float, told: Mapping[int, float]) -> float | None:
        """Return how long the run will still take; None before anything speaks for that.

        `told` is what running jobs themselves say they will still take, by number.
        """
        with self.lock:
            if self.started is None or not (self._finished or told):
                return None
            factors = self._factors()
            left, longest = self._waiting(factors), 0.0
            busy = sum(seconds for _, seconds in self._finished.values())
            for job in self.running.values():
                whole = self._expected(job.number) * factors[job.rule]
                elapsed = now - job.started
                rest = told.get(job.number, max(whole - elapsed, LEAST_SHARE * elapsed))
                left, longest, busy = left + rest, max(longest, rest), busy + elapsed
            at_once = max(busy / max(now - self.started, 1e-9), LEAST_AT_ONCE)
            return max(left / at_once, longest)

    def _waiting(self, factors: Mapping[str, float]) -> float:
        """Seconds of the jobs that have not started."""
        begun = {*self._finished, *self.running}
        if self.expected.jobs:
            waiting = (job for number, job in self.expected.jobs.items() if number not in begun)
            return sum(factors[rule] * seconds for rule, seconds in waiting)
        started = Counter(job.rule for job in self.running.values()) + Counter(self.done)
        return sum(
            factors[rule] * max(0, count - started[rule]) for rule, count in self.counts.items()
        )

    def _factors(self) -> Mapping[str, float]:
        """How many times longer than expected the jobs of each rule took.

        Where nothing was expected, jobs of other rules speak for those that have not run.
        """
        spent: dict[str, list[float]] = {}
        for number, (rule, seconds) in self._finished.items():
            sums = spent.setdefault(rule, [0.0, 0.0])
            sums[0] += seconds
            sums[1] += self._expected(number)
        every = [sum(column) for column in zip(*spent.values(), strict=True)]
        usual = every[0] / every[1] if every and not self.expected.jobs else 1.0
        return defaultdict(
            lambda: usual, {rule: took / expected for rule, (took, expected) in spent.items()}
        )

    def _expected(self, number: int) -> float:
        return self.expected.jobs.get(number, ("", 1.0))[1]
