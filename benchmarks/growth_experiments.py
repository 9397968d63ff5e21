"""Growth of an experiment: against the runs of each task, and against the number of tasks.

The responses are texts of the acceptance suite, and the outcomes are drawn for every task,
condition and run by its name, so every size holds the smaller ones. What is sampled comes from a
random model of two narrow blocks, since only the number of responses is meant to grow.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from benchmarks.growth_graph import graph
from benchmarks.growth_measures import Axis, Measure, Prepared, job
from benchmarks.growth_model import write_base

from goodhart_gap.analysis.settings import ExperimentDesign
from goodhart_gap.evaluation.acceptance import Case, cases
from goodhart_gap.evaluation.grading_settings import GradingSettings
from goodhart_gap.evaluation.quadrants import quadrant
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.evaluation.task_sets import read_task_set
from goodhart_gap.evaluation.tasks import Task, frozen_rows, prompt_rows, read_frozen
from goodhart_gap.evaluation.templates.all import TEMPLATES
from goodhart_gap.files import write_json, write_jsonl

ROOT = Path(__file__).parents[1]
ORIGINAL = ROOT / "config" / "tasks" / "original-20.yaml"

CONDITIONS = ("baseline", "uniform", "selective")
SEED = 42
RUNS_PER_JOB = 5
RUNS = 5
"""Runs while the number of tasks grows."""

NEW_TOKENS = 16
BATCH = 200
MODEL = {"blocks": 2, "blocks_per_shard": 2, "hidden": 64}
GENERATED = list(TEMPLATES)[:100]
SIMULATIONS = 200


Stage = Callable[[Path, Sequence[Task], int], Prepared]
"""Prepares a stage from the frozen tasks and a number of runs."""


def sampled(folder: Path, runs: int) -> Prepared:
    """Freeze the original twenty tasks, and sample them in one job."""
    tasks = list(read_task_set(ORIGINAL))
    write_jsonl(folder / "tasks.jsonl", frozen_rows(tasks))
    prompts = prompt_rows(tasks)
    write_jsonl(folder / "prompts.jsonl", prompts)
    base = write_base(folder / "base", **MODEL)
    names = ("generation_config.json", "tokenizer.json", "tokenizer_config.json")
    # Batches are full at each of the sizes: half-empty ones would look like growth.
    sampling = SamplingSettings(max_new_tokens=NEW_TOKENS, batch_size=BATCH)
    arguments = job(
        "sample_responses",
        prompts="prompts.jsonl",
        config=base / "config.json",
        tokenizer=[base / name for name in (*names, "chat_template.jinja")],
        fingerprint=base / "fingerprint.json",
        shards=sorted(base.glob("*.safetensors")),
        responses="sampled.jsonl",
        experiment="grown",
        model="tiny",
        condition=CONDITIONS[0],
        seed=SEED,
        first=0,
        last=runs - 1,
        sampling=sampling.model_dump_json(),
    )
    return Prepared([arguments], len(prompts) * runs)


def frozen(folder: Path, tasks: int) -> Prepared:
    """Freeze generated tasks: of each template as many, or of some templates one."""
    names = GENERATED[:: max(1, len(GENERATED) // tasks)]
    section = {"templates": names, "variants": max(1, tasks // len(names)), "seed": 2026}
    content = {"description": "Tasks of a growing experiment.", "generate": section}
    (folder / "tasks.yaml").write_text(yaml.safe_dump(content))
    return Prepared([job("freeze_tasks", task_set="tasks.yaml", tasks="tasks.jsonl")], tasks)


def validated(folder: Path, tasks: int) -> Prepared:
    arguments = job(
        "validate_graders",
        tasks="tasks.jsonl",
        gold=sorted((ROOT / "config" / "gold").glob("*.jsonl")),
        graders="graders.csv",
        errors="grader_errors.csv",
    )
    return Prepared([arguments], tasks)


def scored(folder: Path, tasks: Sequence[Task], runs: int) -> Prepared:
    """Score every run of one condition, each in a job that reads its chunk of responses."""
    texts = {task.id: cases(task) for task in tasks}
    jobs = []
    for first in range(0, runs, RUNS_PER_JOB):
        last = min(first + RUNS_PER_JOB, runs) - 1
        chunk = folder / "responses" / f"runs{first}-{last}.jsonl"
        write_jsonl(
            chunk,
            (
                response(task, texts[task.id], role, run)
                for run in range(first, last + 1)
                for task in tasks
                for role in task.prompts()
            ),
        )
        jobs += [
            job(
                "score_responses",
                responses=chunk.relative_to(folder),
                tasks="tasks.jsonl",
                outcomes=f"scored/run{run}.json",
                run=run,
                grading=GradingSettings().model_dump_json(),
            )
            for run in range(first, last + 1)
        ]
    return Prepared(jobs, len(tasks) * runs)


def response(task: Task, texts: Sequence[Case], role: str, run: int) -> dict[str, Any]:
    """Return a line of a responses file: one of the task's own cases, by name."""
    chosen = [case for case in texts if case.role == role]
    case = random.Random(f"{task.id} {role} {run}").choice(chosen)
    return {
        "experiment": "grown",
        "model": "tiny",
        "condition": CONDITIONS[0],
        "seed": SEED,
        "run": run,
        "task": task.id,
        "role": role,
        "prompt": task.prompts()[role],
        "text": case.text,
        "n_tokens": len(case.text.split()),
        "stop_reason": "length" if case.truncated else "eos",
        "truncated": case.truncated,
    }


def aggregated(folder: Path, tasks: Sequence[Task], runs: int) -> Prepared:
    paths = []
    for condition in CONDITIONS:
        for run in range(runs):
            paths.append(f"outcomes/{condition}/run{run}.json")
            write_json(folder / paths[-1], outcome_file(tasks, condition, run))
    tables = ("quadrants", "rates", "by_task", "by_category", "responses", "coverage", "seeds")
    arguments = job(
        "aggregate",
        outcomes=paths,
        design=design(runs),
        confidence=0.95,
        table="outcomes.csv",
        **{name: f"{name}.csv" for name in (*tables, "seed_variance")},
    )
    return Prepared([arguments], len(CONDITIONS) * len(tasks) * runs)


def compared(folder: Path, tasks: Sequence[Task], runs: int) -> Prepared:
    tables = ("comparisons", "categories", "influence", "transitions", "moves", "flips")
    arguments = job(
        "test_hypotheses",
        table="outcomes.csv",
        rates="rates.csv",
        design=design(runs),
        statistics="{}",
        **{name: f"{name}.csv" for name in (*tables, "gate", "corrected")},
    )
    return Prepared([arguments], len(CONDITIONS) * len(tasks) * runs)


def simulated(folder: Path, tasks: Sequence[Task], runs: int) -> Prepared:
    """Simulate experiments of the size at hand."""
    size = {"tasks": len(tasks), "runs": runs}
    statistics = {"power_designs": [size], "power_simulations": SIMULATIONS}
    arguments = job(
        "simulate_power",
        table="outcomes.csv",
        design=design(runs),
        statistics=json.dumps(statistics),
        power="power.csv",
    )
    return Prepared([arguments], len(tasks) * runs)


def design(runs: int) -> str:
    """JSON of the experiment's design."""
    return ExperimentDesign(
        baseline=CONDITIONS[0], conditions=CONDITIONS, runs=runs, seeds=(SEED,)
    ).model_dump_json()


def outcome_file(tasks: Sequence[Task], condition: str, run: int) -> dict[str, Any]:
    """Return an outcome file whose outcomes vary by task, by task and condition, and by run."""
    shared = {"experiment": "grown", "model": "tiny", "condition": condition, "seed": SEED}
    outcomes = list(_outcomes(tasks, condition, run))
    return {**shared, "run": run, "grader": "concepts", "outcomes": outcomes}


def _outcomes(tasks: Sequence[Task], condition: str, run: int) -> Iterator[dict[str, Any]]:
    for task in tasks:
        executes, understands = (
            chance(task.id, role)
            + chance(task.id, role, condition)
            + chance(task.id, role, condition, run)
            < 1.5
            for role in ("execution", "explanation")
        )
        yield {
            "task": task.id,
            "category": task.category,
            "executes": executes,
            "understands": understands,
            "quadrant": quadrant(understands, executes),
            "answer": {"status": "correct" if executes else "wrong", "value": "1", "expected": "1"},
            "explanation": {"status": "explained" if understands else "incomplete"},
            "execution_tokens": 20,
            "explanation_tokens": 40,
            "execution_truncated": False,
            "explanation_truncated": False,
            "explanation_characters": 160,
            "template": task.template,
        }


def chance(*name: object) -> float:
    """A uniform number of [0, 1) that belongs to a name."""
    return random.Random(" ".join(map(str, name))).random()


def _of_runs(stage: Stage) -> Callable[[Path, int], Prepared]:
    return lambda folder, runs: stage(folder, _frozen_tasks(folder), runs)


def _of_tasks(stage: Stage) -> Callable[[Path, int], Prepared]:
    return lambda folder, tasks: stage(folder, _frozen_tasks(folder), RUNS)


def _frozen_tasks(folder: Path) -> list[Task]:
    return list(read_frozen(folder / "tasks.jsonl").values())


RUNS_AXIS = Axis(
    name="runs",
    start=1,
    sizes=(5, 25, 100),
    quick=(1, 3, 6),
    fixed=f"20 tasks, {len(CONDITIONS)} conditions, {RUNS_PER_JOB} runs a sampling job",
    measures=(
        Measure("sample_responses, all runs in one job", "responses", 1, sampled),
        Measure("score_responses, every run", "evaluations", 1, _of_runs(scored)),
        Measure("aggregate", "evaluations", 1, _of_runs(aggregated)),
        Measure("test_hypotheses", "evaluations", 1, _of_runs(compared)),
        Measure("simulate_power, of that many runs", "evaluations", 1, _of_runs(simulated)),
        Measure("snakemake --dry-run", "jobs", 1, lambda folder, runs: graph(folder, runs=runs)),
    ),
)

TASKS_AXIS = Axis(
    name="tasks",
    start=5,
    sizes=(20, 100, 500),
    quick=(5, 10, 20),
    fixed=f"{RUNS} runs, {len(CONDITIONS)} conditions",
    measures=(
        Measure("freeze_tasks", "tasks", 1, frozen),
        Measure("validate_graders", "tasks", 1, validated),
        Measure("score_responses, every run", "evaluations", 1, _of_tasks(scored)),
        Measure("aggregate", "evaluations", 1, _of_tasks(aggregated)),
        Measure("test_hypotheses", "evaluations", 1, _of_tasks(compared)),
        Measure("simulate_power, of that many tasks", "evaluations", 1, _of_tasks(simulated)),
        Measure(
            "snakemake --dry-run",
            "tasks",
            1,
            lambda folder, tasks: replace(
                graph(folder, runs=RUNS, tasks="./tasks.yaml"), work=tasks
            ),
        ),
    ),
)
