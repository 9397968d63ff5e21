"""The default experiment from a fresh clone, and where its wall clock went.

The clock of a job is read from two places. Snakemake's benchmark file says how long the job's
process ran; it is written as the job ends. The manifest of its outputs says how long the script
itself worked; it is written as the script ends. What the process took beyond the script is
start-up: the interpreter and its imports, and the digest of the code.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.intervals import Interval, covered, cut, shares

STAGES = {
    "download_wheel": "fetch",
    "fetch_model": "fetch",
    "fetch_shard": "fetch",
    "fingerprint_model": "fetch",
    "calibration_tokens": "tokens",
    "accumulate_hessians": "Hessians",
    "accumulate_passing_hessians": "Hessians",
    "allocate": "compression",
    "allocate_reuse": "compression",
    "compress_shard": "compression",
    "assemble": "compression",
    "assemble_reuse": "compression",
    "freeze_prompts": "sampling",
    "sample_responses": "sampling",
    "freeze_tasks": "scoring",
    "score_responses": "scoring",
    "validate_graders": "scoring",
}
"""The stage of a rule; what is not named here makes tables, figures and documents."""

REST = "analysis"
ORDER = ("fetch", "tokens", "Hessians", "compression", "sampling", "scoring", REST)
START_UP = "start-up of jobs"

OF_A_CONDITION = ("allocate", "compress_shard", "assemble")
"""Rules that compress one condition; their benchmark files are {rule}/{model}/{condition}..."""

SLICE = "score_responses"
"""The rule from which on a cheap slice of the experiment is run again."""


def environment(clone: Path) -> dict[str, str]:
    """Return an environment in which the clone's own code is run by this interpreter."""
    found = {name: value for name, value in os.environ.items() if not name.endswith("NUM_THREADS")}
    found["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{found.get('PATH', '')}"
    found["PYTHONPATH"] = str(clone / "src")
    return found


def downloads(root: Path) -> list[Path]:
    """Folders with what was downloaded for the models of a checkout."""
    return sorted((root / "results/models").glob("*/download"))


def make_clone(root: Path, clone: Path) -> None:
    """Clone the commit of `root`, with its downloads, so that the network does not count."""
    shutil.rmtree(clone, ignore_errors=True)
    clone.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", str(root), str(clone)], check=True)
    for folder in downloads(root):
        shutil.copytree(folder, clone / folder.relative_to(root))


def snakemake(clone: Path, cores: int, *words: str) -> float:
    """Run Snakemake in `clone`; return its seconds of wall clock. Raises when it fails."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *words]
    with (clone / "snakemake.log").open("a", encoding="utf-8") as log:
        started = time.perf_counter()
        ended = subprocess.run(command, cwd=clone, env=environment(clone), stdout=log, stderr=log)
        seconds = time.perf_counter() - started
    if ended.returncode:
        text = (clone / "snakemake.log").read_text(encoding="utf-8")
        raise SystemExit(f"error: {' '.join(command)} failed in {clone}:\n{text[-3000:]}")
    return seconds


def rule_of(path: Path) -> str:
    """The rule of a benchmark file logs/benchmarks/{rule}/..."""
    return path.parts[path.parts.index("benchmarks", path.parts.index("logs")) + 1]


def condition_of(path: Path) -> str | None:
    """The condition that a benchmark file's job compressed; None if the job did something else."""
    rule = rule_of(path)
    if rule not in OF_A_CONDITION:
        return None
    return path.parts[path.parts.index(rule) + 2].removesuffix(".jsonl")


def by_condition(clone: Path, since: float) -> dict[str, dict[str, float]]:
    """{condition: {"jobs", "process_s"}} of what compressed it alone, in a run begun at `since`."""
    found: dict[str, dict[str, float]] = {}
    for path in benchmark_files(clone):
        condition, process = condition_of(path), process_of(path)
        if condition is not None and process.end > since:
            each = found.setdefault(condition, {"jobs": 0, "process_s": 0.0})
            each["jobs"] += 1
            each["process_s"] += process.seconds
    return found


def benchmark_files(clone: Path) -> list[Path]:
    """Snakemake's benchmark file of each job."""
    return sorted((clone / "logs/benchmarks").rglob("*.jsonl"))


def process_of(path: Path) -> Interval:
    """When the job of a benchmark file ran, by rule."""
    end = path.stat().st_mtime
    seconds = json.loads(path.read_text().splitlines()[-1])["s"]
    return Interval(rule_of(path), end - seconds, end)


def processes(clone: Path) -> list[Interval]:
    """When each job's process ran, by rule."""
    return sorted(map(process_of, benchmark_files(clone)), key=lambda each: each.end)


def manifests(clone: Path) -> list[tuple[Path, dict[str, Any]]]:
    """One manifest a job, that which was written first, in the order they were written."""
    found: dict[tuple[str, ...], tuple[Path, dict[str, Any]]] = {}
    paths = (clone / "results").rglob("*.prov.json")
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
        content = json.loads(path.read_text())
        key = (content["job"]["script"], *sorted(each["path"] for each in content["outputs"]))
        found.setdefault(key, (path, content))
    return list(found.values())


def works(clone: Path) -> list[Interval]:
    """When each job's script worked, by script, which has its rule's name."""
    found = []
    for path, content in manifests(clone):
        end = path.stat().st_mtime
        found.append(Interval(content["job"]["script"], end - content["run"]["seconds"], end))
    return sorted(found, key=lambda each: each.end)


def start_ups(whole: list[Interval], inner: list[Interval]) -> list[Interval]:
    """What each process did beside its script's work: jobs of a rule are matched as they ended."""
    found = []
    by_rule: dict[str, list[Interval]] = defaultdict(list)
    for each in inner:
        by_rule[each.label].append(each)
    for each in whole:
        if by_rule[each.label]:
            found += cut(each, by_rule[each.label].pop(0), START_UP)
    return found


def stage_of(rule: str) -> str:
    """The reader's stage of a rule."""
    return STAGES.get(rule, REST)


def account(clone: Path, wall_s: float, since: float) -> dict[str, Any]:
    """Divide the wall clock of a run that began at `since` among stages, start-up and Snakemake.

    `stages`: {stage: {"jobs", "job_s": their scripts' seconds, one after another, "wall_s": their
    share of the wall clock}}; `start_up`: the same of what processes did beside; `rules`: {rule:
    {"jobs", "process_s": their processes' seconds, one after another, start-up and all}};
    `conditions`: {condition: the same of the jobs that compressed it and nothing else};
    `nothing_s`: seconds in which no job's process ran; `no_work_s`: in which no script was at work.
    """
    whole = [each for each in processes(clone) if each.end > since]
    inner = [each for each in works(clone) if each.end > since]
    beside = start_ups(whole, inner)
    staged = [Interval(stage_of(each.label), each.start, each.end) for each in inner]
    share = shares(staged + beside)
    stages = {
        stage: {
            "jobs": sum(each.label == stage for each in staged),
            "job_s": sum(each.seconds for each in staged if each.label == stage),
            "wall_s": share.get(stage, 0.0),
        }
        for stage in ORDER
    }
    return {
        "wall_s": wall_s,
        "stages": stages,
        "start_up": {
            "jobs": len(whole),
            "job_s": sum(each.seconds for each in beside),
            "wall_s": share.get(START_UP, 0.0),
        },
        "rules": {
            rule: {
                "jobs": sum(each.label == rule for each in whole),
                "process_s": sum(each.seconds for each in whole if each.label == rule),
            }
            for rule in sorted({each.label for each in whole})
        },
        "conditions": by_condition(clone, since),
        "nothing_s": max(0.0, wall_s - covered(whole + inner)),
        "no_work_s": max(0.0, wall_s - covered(inner)),
    }


def slice_again(clone: Path, cores: int) -> dict[str, float]:
    """Seconds of the slice after sampling: by Snakemake, and as one loop in one process."""
    before = time.time()
    graph_s = snakemake(clone, cores, "--forcerun", SLICE, "--", "all")
    jobs = [
        {"script": content["job"]["script"], "words": content["job"]["command"]}
        for path, content in manifests(clone)
        if path.stat().st_mtime > before
    ]
    (clone / "slice.json").write_text(json.dumps(jobs))
    loop = Path(__file__).with_name("one_loop.py")
    command = [sys.executable, str(loop), "slice.json"]
    started = time.perf_counter()
    with (clone / "slice.log").open("w", encoding="utf-8") as log:
        subprocess.run(
            command, cwd=clone, env=environment(clone), check=True, stdout=log, stderr=log
        )
    loop_s = time.perf_counter() - started
    return {"jobs": len(jobs), "graph_s": graph_s, "loop_s": loop_s}


def run_default(clone: Path, cores: int, target: str = "all") -> dict[str, Any]:
    """Run `target` in a fresh clone and account for its time."""
    since = time.time()
    wall_s = snakemake(clone, cores, "--", target)
    return account(clone, wall_s, since)
