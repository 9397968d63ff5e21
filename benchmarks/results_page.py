"""benchmarks/RESULTS.md: wholly from benchmarks/results/*.jsonl and benchmarks/steps.yaml."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from benchmarks import growth_table, peers_table, sampling_profile_table
from benchmarks import results_table as table
from benchmarks.extrapolation import largest_change
from benchmarks.results_table import Line

STEPS = Path(__file__).with_name("steps.yaml")

LEAST_FASTER = 15.0
"""The original's way over ours, whole."""

MOST_OVERHEAD = 0.10
"""Share of the wall clock in which no script works."""

LEAST_OVER_BATCHED = 2.0
LEAST_REACHED = 0.40
"""Share of the bound of matrix products that sampling reaches."""

MOST_CHANGE = 0.15
"""Difference of a ratio between two runs."""

MOST_COMPRESSION_S = 180
"""Seconds of compressing the default model, calibration included."""

COMPRESSION_CORES = 2
"""On so many cores."""


def read_lines(path: Path) -> list[Line]:
    """The runs on file, oldest first."""
    if not path.exists():
        return []
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines() if text]


def write_page(stages: Path, growth: Path, page: Path) -> None:
    """Write the page of the last run, and of all that is on file."""
    lines = read_lines(stages)
    parts: list[Iterable[str]] = [_title()]
    if lines:
        last = lines[-1]
        parts += [
            _about(last),
            _targets(lines),
            _stages(last),
            _whole(last),
            peers_table.lines(last),
        ]
        if "profile" in last["generation"]:  # runs before 2026-11-24 have none
            parts.append(sampling_profile_table.lines(last))
        parts += [_workflow(last), _bounds(last), _runs(lines)]
    parts += [growth_table.lines(growth), steps(STEPS)]
    text = "\n\n".join("\n".join(part) for part in parts)
    page.write_text(text.rstrip() + "\n", encoding="utf-8")


def _title() -> Iterator[str]:
    yield "# How fast the default experiment is"
    yield ""
    yield "Made by `make bench`; do not edit. Every figure comes from `benchmarks/results/*.jsonl`."


def _about(line: Line) -> Iterator[str]:
    here, versions = line["machine"], line["versions"]
    changed = " with changes that are not committed" if line["dirty"] else ""
    minutes = line["took_s"] / 60
    yield f"- Last run: {line['date']}, commit {line['commit']}{changed}, {minutes:.0f} min."
    yield (
        f"- Machine: {here['cpu']}{_instructions(here)}, {here['cores']} cores, "
        f"{here['memory_bytes'] / 2**30:.0f} GiB, {here['system']}; load when it began "
        f"{here['load']:.1f}."
    )
    yield "- Versions: " + ", ".join(f"{name} {each}" for name, each in versions.items()) + "."
    if line["quick"]:
        yield "- **Measured with `--quick`: samples too small to believe.**"
    if line["finished"]:
        yield "- **The run was not made here: an earlier one was read (`--finished`).**"
    if line["downloaded"]:
        yield "- The model was downloaded during the run: its time counts."
    else:
        yield "- The downloaded model was there before the run: the network does not count."


def _instructions(machine: Mapping[str, Any]) -> str:
    if "format" not in machine:  # runs before 2026-11-29
        return ""
    return f" with {machine['instructions']} (forward passes in {machine['format']})"


def _targets(lines: Sequence[Line]) -> Iterator[str]:
    line = lines[-1]
    run = line["run"]
    sampling = next(row for row in table.stages(line) if row.name == "sampling")
    yield "## Targets"
    yield ""
    yield "| target | found | |"
    yield "|---|---|---|"
    faster = table.original_whole(line) / run["wall_s"]
    yield _target(
        f"the whole at least {LEAST_FASTER:.0f} times faster than in the original's way",
        f"{faster:.1f} times",
        faster >= LEAST_FASTER,
    )
    overhead = run["no_work_s"] / run["wall_s"]
    yield _target(
        f"Snakemake with our rules under {MOST_OVERHEAD:.0%} of the time",
        f"{overhead:.1%}",
        overhead < MOST_OVERHEAD,
    )
    batched = table.over_batched(line)
    yield _target(
        f"sampling at least {LEAST_OVER_BATCHED:.0f} times the best batched `generate`",
        f"{batched:.2f} times",
        batched >= LEAST_OVER_BATCHED,
    )
    reached = sampling.reached or 0.0
    where = "[Where a sampling job's time goes](#where-a-sampling-jobs-time-goes)"
    why = f" ({where})" if "profile" in line["generation"] else ""
    yield _target(
        f"sampling at least {LEAST_REACHED:.0%} of the {table.forward_format(line)} bound, or a "
        "profile",
        f"{reached:.1%} in the run, {table.reached_in_rounds(line):.1%} by one process alone{why}",
        reached >= LEAST_REACHED,
    )
    yield _compression_target(line)
    what = f"ratios of two runs within {MOST_CHANGE:.0%}"
    earlier = table.comparable(line, lines[:-1])
    if earlier:
        name, change = largest_change(table.ratios(earlier), table.ratios(line))
        yield _target(what, f"{change:.1%} at most ({name})", change <= MOST_CHANGE)
    else:
        yield _open(what, "one run of this commit and machine on file")


def _compression_target(line: Line) -> str:
    condition = line["facts"]["compressed_here"][0]
    what = (
        f"`{condition}` compressed, calibration included, in under {MOST_COMPRESSION_S} s on "
        f"{COMPRESSION_CORES} cores"
    )
    chain, cores = table.compression_chain(line, condition), line["machine"]["cores"]
    if chain is None:
        stages = ("tokens", "Hessians", "compression")
        script_s = sum(line["run"]["stages"][each]["job_s"] for each in stages)
        return _open(
            what,
            f"not measured; scripts of {', '.join(stages)} took {script_s:.0f} s in all "
            "conditions, without start-up",
        )
    jobs, seconds = chain
    found = f"{seconds:.0f} s of {jobs} jobs one after another, beside other jobs, on {cores} cores"
    if cores > COMPRESSION_CORES:
        return _open(what, found)
    where = "[what bounds them](#stages-of-the-default-experiment)"
    return _target(what, f"{found} ({where})", seconds < MOST_COMPRESSION_S)


def _open(what: str, found: str) -> str:
    """A target that the lines on file say nothing of."""
    return f"| {what} | {found} | open |"


def _target(what: str, found: str, met: bool) -> str:
    return f"| {what} | {found} | {'met' if met else '**missed**'} |"


def _stages(line: Line) -> Iterator[str]:
    run = line["run"]
    yield "## Stages of the default experiment"
    yield ""
    yield "- job s: seconds of the stage's scripts, one after another, by their manifests."
    yield "- s: their share of the wall clock; jobs that run side by side share an instant evenly."
    yield "- original: seconds of the original's way on the whole machine, extrapolated (below)."
    yield "- bound: operations over the highest measured product rate, or bytes over bandwidth."
    yield ""
    yield "| stage | jobs | job s | s | original, s | ratio | bound, s | reached | bound by |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in table.stages(line):
        cells = (
            row.name,
            str(row.jobs),
            f"{row.job_s:.1f}",
            f"{row.ours_s:.1f}",
            _shown(row.original_s, ".0f"),
            _shown(row.ratio, ".1f"),
            _shown(row.bound_s, ".2f"),
            _shown(row.reached, ".1%"),
            row.bound,
        )
        yield f"| {' | '.join(cells)} |"
    start = run["start_up"]
    yield (
        f"| start-up of jobs | {start['jobs']} | {start['job_s']:.1f} | {start['wall_s']:.1f} "
        "| | | | | interpreter and imports, beside the scripts' own seconds |"
    )
    yield f"| no job running | | | {run['nothing_s']:.1f} | | | | | graph, scheduling, checks |"
    yield f"| **wall clock** | | | {run['wall_s']:.1f} | | | | | |"


def _whole(line: Line) -> Iterator[str]:
    wall_s = line["run"]["wall_s"]
    ours = [row.name for row in table.stages(line) if row.original_s is None]
    yield "## The whole"
    yield ""
    yield (
        "The original's way of the same work: the sum of its stages, with our own seconds where no "
        f"other way was measured ({', '.join(ours)}), and without a workflow's overhead. The "
        "original compressed by rounding and an SVD of what that left; the paper's algorithm is "
        "not part of these sums."
    )
    quality = table.compression_quality(line)
    if "original" in quality:
        (bits, error), (own_bits, own_error) = quality["original"], quality["ours"]
        yield (
            f"Its result is not the same: {bits:.2f} bits a parameter with an error of {error:.4f} "
            f"on held-out tokens, where ours takes {own_bits:.2f} bits with {own_error:.4f}."
        )
    yield ""
    yield "| way | s | over ours |"
    yield "|---|---|---|"
    yield f"| ours, wall clock | {wall_s:.0f} | 1 |"
    for name, seconds in (
        ("the original's, dequantizing at every call", table.original_whole(line)),
        (
            "the same, but weights dequantized once",
            table.original_whole(line, dequantizing=False),
        ),
        (
            "the same, and tokens as ours",
            table.original_whole(line, dequantizing=False, ours=["tokens"]),
        ),
    ):
        yield f"| {name} (extrapolated) | {seconds:.0f} | {seconds / wall_s:.1f} |"


def _workflow(line: Line) -> Iterator[str]:
    run, again = line["run"], line["slice"]
    yield "## The workflow's own time"
    yield ""
    yield (
        f"Of {run['wall_s']:.1f} s, no script was at work in {run['no_work_s']:.1f} s "
        f"({run['no_work_s'] / run['wall_s']:.1%}), and no job's process ran in "
        f"{run['nothing_s']:.1f} s. A script is at work from when it has read its command line to "
        "when its outputs are hashed (`run.seconds` of its manifest). The difference is start-up: "
        f"{run['start_up']['job_s']:.1f} s over {run['start_up']['jobs']} jobs, "
        "part of it beside other jobs' work."
    )
    if again:
        share = again["graph_s"] / again["loop_s"]
        yield ""
        yield (
            f"Scoring and everything after it once more ({again['jobs']} jobs): "
            f"{again['graph_s']:.1f} s by Snakemake, {again['loop_s']:.1f} s as a plain loop in "
            f"one process ({share:.1f} times)."
        )


def _bounds(line: Line) -> Iterator[str]:
    bounds = line["bounds"]
    yield "## What the machine can do, measured"
    yield ""
    yield "| what | one thread | all threads |"
    yield "|---|---|---|"
    for name, one in bounds["one"].items():
        unit = "GB/s" if name == "copy" else "Gflop/s"
        yield f"| {name} | {one / 1e9:.0f} {unit} | {bounds['all'][name] / 1e9:.0f} {unit} |"
    for name, each in bounds["file"].items():
        label = {"write": "file, written to disk", "read": "file, read", "sha256": "SHA-256"}[name]
        yield f"| {label} | {each / 1e9:.1f} GB/s | |"


def _runs(lines: Sequence[Line]) -> Iterator[str]:
    yield "## Ratios of the last run, and of the one before it of the same commit and machine"
    yield ""
    yield (
        "Of what was measured turn about, of the whole and of sampling. In the table of stages, "
        "each other stage is a job or two of a minute or two, with the peer measured later: on a "
        "machine that others use as well, those ratios are no better than that."
    )
    yield ""
    earlier = table.comparable(lines[-1], lines[:-1])
    shown = [earlier, lines[-1]] if earlier else [lines[-1]]
    yield (
        "| ratio | " + " | ".join(f"{line['date'][:16]}, {line['commit']}" for line in shown) + " |"
    )
    yield "|---|" + "---|" * len(shown)
    found = [table.ratios(line) for line in shown]
    for name in found[-1]:
        cells = (_shown(each.get(name), ".2f") for each in found)
        yield f"| {name} | {' | '.join(cells)} |"
    if any(line["quick"] or line["finished"] for line in shown):
        yield ""
        yield "**Not all of them are whole runs: `--quick` or `--finished` was used.**"


def steps(path: Path) -> Iterator[str]:
    """The steps that were taken to make it faster, by benchmarks/steps.yaml."""
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    yield "## Steps taken"
    yield ""
    yield "From `benchmarks/steps.yaml`, where each figure names what measured it."
    yield ""
    yield "| step | prediction | outcome | measured by |"
    yield "|---|---|---|---|"
    for step in found:
        cells = (step["step"], step["prediction"], step["outcome"], step["source"])
        yield f"| {' | '.join(' '.join(str(cell or 'none').split()) for cell in cells)} |"


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
