"""What follows from a line of benchmarks/stages.py: seconds of peers, bounds, ratios. Pure.

The original's way of a stage, extrapolated:

- fetch, scoring, analysis: no other way was measured, so our own seconds are taken;
- tokens and sampling: one response at a time; compressed layers are dequantized at every call;
- Hessians: a pass of the whole model for every module;
- compression: rounding to nearest and an unweighted SVD of what that leaves, matrix by matrix,
  shared out among the cores. It is quick, but takes more bits and leaves more error than ours
  (`compression_quality`). The paper's algorithm, which the original did not run, is a peer apart.

Lines of earlier versions lack some figures; what follows from those is None, or left out.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks import flops
from benchmarks.default_run import ORDER
from benchmarks.extrapolation import Generation, weighted

Line = dict[str, Any]

ONE_AT_A_TIME = "one at a time"
"""What `generate`, one prompt at a time, is called in a line."""


@dataclass(frozen=True)
class Stage:
    """A row of the table of stages; seconds of wall clock."""

    name: str
    jobs: int
    job_s: float
    ours_s: float
    original_s: float | None
    bound_s: float | None
    bound: str

    @property
    def ratio(self) -> float | None:
        """The original's way over ours."""
        return self.original_s / self.ours_s if self.original_s and self.ours_s else None

    @property
    def reached(self) -> float | None:
        """Share of what the machine could do that was reached."""
        return self.bound_s / self.ours_s if self.bound_s and self.ours_s else None


def rate(line: Line, what: str, group: str | None = None) -> float:
    """The highest rate measured of everything whose name starts with `what`.

    `group`: "one" or "all" threads; either if it is None.
    """
    return max(
        value
        for measured in ([group] if group else ["one", "all"])
        for name, value in line["bounds"][measured].items()
        if name.startswith(what)
    )


def sizes_of(line: Line) -> flops.Sizes:
    """The sizes of the model."""
    return flops.Sizes(**line["facts"]["sizes"])


def forward_format(line: Line) -> str:
    """The format the model was run in; runs before 2026-11-29 do not say it."""
    return str(line["machine"].get("format", "bfloat16"))


def one_at_a_time(line: Line, condition: str, *, dequantizing: bool = True) -> Generation:
    """Seconds of `generate`, one prompt at a time, under a condition.

    Dequantizing was measured for one condition; another differs by how many modules it compresses.
    """
    measured = line["generation"]
    base = Generation(**measured[ONE_AT_A_TIME])
    matrices = line["facts"]["matrices"].get(condition, {})
    if not dequantizing or not matrices:
        return base
    share = sum(matrices.values()) / measured["dequantized_modules"]
    return base.partly(Generation(**measured["dequantizing"]), share)


def original_sampling(line: Line, *, dequantizing: bool = True) -> float:
    """Seconds of sampling everything one at a time."""
    return sum(
        one_at_a_time(line, name, dequantizing=dequantizing).seconds(
            each["responses"], each["tokens"]
        )
        for name, each in line["facts"]["conditions"].items()
    )


def original_hessians(line: Line) -> float:
    """Seconds of a pass for every module, over all calibration tokens."""
    measured = line["calibration"]
    return weighted(measured["pass_s"], measured["modules"]) / measured["share"]


def streamed_hessians(line: Line) -> float:
    """Seconds of ours for all blocks, from the blocks that were streamed beside the passes."""
    measured = line["calibration"]
    blocks = line["facts"]["sizes"]["blocks"]
    return float(measured["blocks_s"] * blocks / measured["blocks"] / measured["share"])


WHOSE = {
    "ours": "ours",
    "original": "the original's rounding and SVD",
    "paper": "the paper's algorithm",
}
"""Whose way of compressing a matrix is measured, by what its figures start with."""


def measured_ways(line: Line) -> list[str]:
    """Which of `WHOSE` the run has measured; runs before 2026-11-30 have no `original`."""
    found: dict[str, dict[str, Any]] = line["compression"]["matrices"]
    return [whose for whose in WHOSE if all(f"{whose}_s" in each for each in found.values())]


def compression_quality(line: Line) -> dict[str, tuple[float, float]]:
    """{whose: (bits a parameter, mean held-out error)} over the matrices of all conditions.

    Of one matrix of each shape, counted as often as there are matrices of that shape. Empty if the
    run did not measure them.
    """
    found: dict[str, dict[str, Any]] = line["compression"]["matrices"]
    counts: Counter[str] = Counter()
    for each in line["facts"]["matrices"].values():
        counts.update(each)
    total, entries = counts.total(), {kind: math.prod(shape_of(kind)) for kind in counts}
    parameters = sum(entries[kind] * count for kind, count in counts.items())
    return {
        whose: (
            sum(found[kind][f"{whose}_bits"] * entries[kind] * counts[kind] for kind in counts)
            / parameters,
            sum(found[kind][f"{whose}_error"] * counts[kind] for kind in counts) / total,
        )
        for whose in WHOSE
        if all(f"{whose}_bits" in each for each in found.values())
    }


def shape_of(kind: str) -> tuple[int, int]:
    """Outputs and inputs of matrices called `kind` ("576x1536")."""
    rows, columns = map(int, kind.split("x"))
    return rows, columns


def matrices_s(line: Line, whose: str) -> float:
    """Seconds of compressing all matrices of all conditions, shared out among the cores.

    `whose`: one of `measured_ways`.
    """
    whose = f"{whose}_s"
    seconds = {kind: each[whose] for kind, each in line["compression"]["matrices"].items()}
    total = sum(weighted(seconds, counts) for counts in line["facts"]["matrices"].values())
    return total / line["machine"]["cores"]


def originals(line: Line) -> dict[str, float]:
    """Seconds of the stages that a peer was measured for, in the original's way."""
    sequences, length = line["facts"]["sequences"], line["facts"]["sequence_length"]
    base = Generation(**line["generation"][ONE_AT_A_TIME])
    found = {
        "tokens": base.seconds(sequences, sequences * length),
        "Hessians": original_hessians(line),
        "sampling": original_sampling(line),
    }
    if "original" in measured_ways(line):
        found["compression"] = matrices_s(line, "original")
    return found


def stage_bounds(line: Line) -> dict[str, tuple[float, str]]:
    """Least seconds of a stage on this machine, and what sets it."""
    facts, sizes, files = line["facts"], sizes_of(line), line["bounds"]["file"]
    name = forward_format(line)
    low, single = rate(line, name), rate(line, "float32")
    sequences, length = facts["sequences"], facts["sequence_length"]
    sampled = sum(each["operations"] for each in facts["conditions"].values())
    forward = flops.calibration_forward(sizes, sequences, length)
    hessians = flops.hessian_products(sizes, sequences * length)
    matrices = [
        shape_of(kind)
        for name in facts["compressed_here"]
        for kind, count in facts["matrices"][name].items()
        for _ in range(count)
    ]
    compressed = flops.compression(matrices, line["compression"]["settings"]["iterations"])
    tokens = sequences * flops.response(sizes, 0, length)
    stored = facts["bytes"]
    return {
        "fetch": max(
            (stored["weights"] / files["write"], f"writing {_size(stored['weights'])}"),
            (stored["weights"] / files["sha256"], f"hashing {_size(stored['weights'])}"),
            (stored["download"] / files["read"], f"reading {_size(stored['download'])}"),
        ),
        "tokens": (tokens / low, f"{_count(tokens)} in {name}"),
        "Hessians": max(
            (
                forward / low + hessians / single,
                f"{_count(forward)} in {name}, {_count(hessians)} in float32",
            ),
            (stored["hessians"] / files["write"], f"writing {_size(stored['hessians'])}"),
        ),
        "compression": (compressed / single, f"{_count(compressed)} in float32"),
        "sampling": (sampled / low, f"{_count(sampled)} in {name}"),
    }


def stages(line: Line) -> list[Stage]:
    """The rows of the table of stages."""
    peers, least = originals(line), stage_bounds(line)
    rows = []
    for name in ORDER:
        each = line["run"]["stages"][name]
        bound_s, bound = least.get(name, (None, ""))
        rows.append(
            Stage(
                name, each["jobs"], each["job_s"], each["wall_s"], peers.get(name), bound_s, bound
            )
        )
    return rows


def original_whole(line: Line, *, dequantizing: bool = True, ours: Collection[str] = ()) -> float:
    """Seconds of the whole experiment in the original's way.

    Ours where no other was measured, and for the stages named in `ours`.
    """
    peers = originals(line)
    peers["sampling"] = original_sampling(line, dequantizing=dequantizing)
    return sum(
        row.ours_s if row.name in ours else peers.get(row.name, row.ours_s) for row in stages(line)
    )


def batched_rate(line: Line) -> float:
    """Tokens a second of the best batched `generate`, median of the rounds."""
    return median(
        each["tokens"] / each["seconds"] for each in line["generation"]["rounds"]["batched"]
    )


def our_rate(line: Line) -> float:
    """Tokens a second of ours in the same rounds."""
    return median(each["tokens"] / each["seconds"] for each in line["generation"]["rounds"]["ours"])


def over_batched(line: Line) -> float:
    """Ours over the best batched `generate`, in tokens a second: median of the rounds' ratios."""
    found = line["generation"]["rounds"]
    return median(
        (ours["tokens"] / ours["seconds"]) / (peer["tokens"] / peer["seconds"])
        for ours, peer in zip(found["ours"], found["batched"], strict=True)
    )


def over_once(line: Line) -> float:
    """A token by dequantizing at every call over one by dense weights: median of the turns."""
    found = line["generation"]
    pairs = found.get("turns") or {name: [found[name]] for name in ("dequantizing", ONE_AT_A_TIME)}
    return median(
        every["token_s"] / once["token_s"]
        for every, once in zip(pairs["dequantizing"], pairs[ONE_AT_A_TIME], strict=True)
    )


def over_tokens(line: Line) -> float:
    """Seconds of as many tokens one response at a time over ours by itself: median of the turns."""
    found, length = line["generation"]["turns"], line["facts"]["sequence_length"]
    count = found["sequences"]
    return median(
        Generation(**each).seconds(count, count * length) / ours_s
        for each, ours_s in zip(found[ONE_AT_A_TIME], found["tokens_s"], strict=True)
    )


def reached_in_rounds(line: Line) -> float:
    """Share of the rate of products that ours reached in the rounds: one process, all threads."""
    facts = line["facts"]["conditions"]
    tokens = sum(each["tokens"] for each in facts.values())
    operations = sum(each["operations"] for each in facts.values()) / tokens
    return our_rate(line) * operations / rate(line, forward_format(line))


def ratios(line: Line) -> dict[str, float]:
    """Every ratio that two runs should agree on, by what it is called on the page.

    Those of what was measured turn about, of the whole and of sampling, most of the whole. A ratio
    of another stage has a single job of a minute or two of the run below its line, and above it
    what was measured later: they are no measurements to repeat.
    """
    run = line["run"]
    found = {
        "the original's way over ours, whole": original_whole(line) / run["wall_s"],
        "sampling: the original's way over ours": original_sampling(line)
        / run["stages"]["sampling"]["wall_s"],
        "ours over batched generate": over_batched(line),
        "a pass for every module over streamed Hessians": original_hessians(line)
        / streamed_hessians(line),
        "dequantizing at every call over once": over_once(line),
    }
    if "turns" in line["generation"]:
        found["tokens, one response at a time over ours"] = over_tokens(line)
    for whose in measured_ways(line):
        if whose != "ours":
            ratio = matrices_s(line, whose) / matrices_s(line, "ours")
            found[f"{WHOSE[whose]} over ours"] = ratio
    if line["slice"]:
        found["the graph over a plain loop"] = line["slice"]["graph_s"] / line["slice"]["loop_s"]
    return found


CALIBRATION_RULES = ("calibration_tokens", "accumulate_hessians", "accumulate_passing_hessians")
"""What has to be done once, whatever conditions are compressed."""


def compression_chain(line: Line, condition: str) -> tuple[int, float] | None:
    """Jobs and their processes' seconds, one after another, of compressing one condition.

    Calibration and start-up count; other jobs ran beside them. None if the run did not keep the
    seconds of conditions.
    """
    run = line["run"]
    if "conditions" not in run:  # earlier versions
        return None
    chain = [run["rules"][rule] for rule in CALIBRATION_RULES if rule in run["rules"]]
    chain.append(run["conditions"][condition])
    return sum(each["jobs"] for each in chain), sum(each["process_s"] for each in chain)


def comparable(line: Line, earlier: Sequence[Line]) -> Line | None:
    """The latest of the `earlier` runs that should have the ratios of `line`, if there is one.

    The same commit without other changes, the same machine (however loaded), number format and
    versions, and made in the same way.
    """

    def what(each: Line) -> dict[str, Any]:
        found = {name: each[name] for name in ("commit", "quick", "finished", "versions")}
        return found | {name: x for name, x in each["machine"].items() if name != "load"}

    alike = (each for each in reversed(earlier) if what(each) == what(line) and not each["dirty"])
    return None if line["dirty"] else next(alike, None)


def _size(count: float) -> str:
    return f"{count / 1e6:.0f} MB"


def _count(operations: float) -> str:
    return f"{operations / 1e12:.1f} Tflop"
