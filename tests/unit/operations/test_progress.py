"""How long a run will still take, and how its jobs are counted."""

from pathlib import Path

import pytest

from goodhart_gap.operations.progress import Expectation, Job, Run, expect, expected_jobs
from goodhart_gap.provenance.graph import GraphJob
from goodhart_gap.provenance.plan import read_plan_settings

ROOT = Path(__file__).parents[3]

STAGES = {"fetch": "models", "compress": "compression", "assemble": "compression"}


def job(number: int, rule: str, started: float) -> Job:
    return Job(number, rule, f"{rule} {number}", (), started)


def run_of(**seconds: tuple[str, float]) -> Run:
    """A run whose jobs are named by letter and number: `j1=("fetch", 10.0)`."""
    jobs = {int(name[1:]): about for name, about in seconds.items()}
    run = Run(Expectation(STAGES, jobs))
    counts: dict[str, int] = {}
    for rule, _ in jobs.values():
        counts[rule] = counts.get(rule, 0) + 1
    run.plan(counts | {"all": 1, "total": len(jobs) + 1})
    return run


def test_nothing_is_promised_before_a_job_is_done():
    run = run_of(j1=("fetch", 10.0))
    assert run.seconds_left(0.0, {}) is None
    run.start(job(1, "fetch", 0.0))
    assert run.seconds_left(5.0, {}) is None


def test_what_jobs_of_a_rule_took_corrects_the_others_of_that_rule_only():
    run = run_of(j1=("fetch", 10.0), j2=("fetch", 20.0), j3=("compress", 60.0))
    run.start(job(1, "fetch", 0.0))
    run.finish(1, 20.0)  # twice as long as expected
    assert run.seconds_left(20.0, {}) == pytest.approx(2 * 20.0 + 60.0)


def test_jobs_at_once_share_the_time_but_none_is_shorter_for_it():
    run = run_of(j1=("fetch", 10.0), j2=("fetch", 10.0), j3=("fetch", 10.0), j4=("fetch", 10.0))
    for number in (1, 2):
        run.start(job(number, "fetch", 0.0))
        run.finish(number, 10.0)
    assert run.seconds_left(10.0, {}) == pytest.approx(10.0)
    run.start(job(3, "fetch", 10.0))
    run.start(job(4, "fetch", 10.0))
    assert run.seconds_left(14.0, {}) == pytest.approx(6.0)
    run.finish(3, 18.0)
    assert run.seconds_left(18.0, {}) == pytest.approx(28.0 / 3 - 8.0, abs=0.2)


def test_a_job_that_takes_long_is_never_called_done():
    run = run_of(j1=("fetch", 10.0), j2=("fetch", 10.0))
    run.start(job(1, "fetch", 0.0))
    run.finish(1, 10.0)
    run.start(job(2, "fetch", 10.0))
    assert run.seconds_left(1000.0, {}) > 0


def test_what_a_job_says_itself_counts_more():
    run = run_of(j1=("compress", 10.0), j2=("fetch", 5.0))
    run.start(job(1, "compress", 0.0))
    assert run.seconds_left(30.0, {1: 67.0}) == pytest.approx(67.0 + 5.0)


def test_without_expectations_jobs_speak_for_each_other():
    run = Run(Expectation())
    run.plan({"fetch": 1, "compress": 3, "total": 4})
    run.start(job(1, "fetch", 0.0))
    run.finish(1, 5.0)
    assert run.seconds_left(5.0, {}) == pytest.approx(15.0)
    assert run.stages() == [("jobs", 1, 4)]


def test_stages_stand_in_the_order_of_the_rules_and_targets_are_no_work():
    run = run_of(j1=("compress", 1.0), j2=("assemble", 1.0), j3=("fetch", 1.0))
    run.start(job(3, "fetch", 0.0))
    run.finish(3, 1.0)
    assert run.stages() == [("models", 1, 1), ("compression", 0, 2)]
    assert (run.jobs_done, run.jobs) == (1, 3)
    run.start(job(9, "all", 1.0))
    run.finish(9, 1.0)
    assert (run.jobs_done, run.jobs) == (1, 3)


def test_a_job_that_is_tried_again_has_not_failed():
    run = run_of(j1=("fetch", 1.0))
    run.start(job(1, "fetch", 0.0))
    assert run.fail(1, "no network").number == 1
    assert [failure.reason for failure in run.failures.values()] == ["no network"]
    run.start(job(1, "fetch", 2.0))
    assert not run.failures
    assert run.fail(7, "never started") is None


def test_what_is_expected_follows_from_the_size_of_the_model(tmp_path):
    config = {
        "models": {
            "big": {
                "source": "file:x",
                "blocks": 80,
                "sizes": {
                    "hidden": 8192,
                    "intermediate": 29568,
                    "queries": 8192,
                    "keys": 1024,
                    "vocabulary": 152064,
                },
            }
        },
        "conditions": {"uniform": {"compress": {"bits": 4, "rank": 64, "iterations": 1}}},
    }
    wildcards = {"model": "big", "condition": "uniform", "shard": "blocks000-003"}
    jobs = [
        GraphJob.model_construct(
            id=4, rule="compress_shard", wildcards=wildcards, threads=2, resources={}, outputs=[]
        ),
        GraphJob.model_construct(
            id=9, rule="aggregate", wildcards={}, threads=1, resources={"gpu": 0}, outputs=[]
        ),
    ]
    found = expected_jobs(jobs, config, read_plan_settings(ROOT / "config/plan.yaml"), tmp_path)
    assert found[9] == ("aggregate", 2.0)
    assert found[4][0] == "compress_shard"
    assert found[4][1] > 100
    try:
        expect(STAGES, found)
        assert Run().expected.jobs == found
    finally:
        expect({}, {})
