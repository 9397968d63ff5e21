"""The page of benchmarks/quality.py: its table in Markdown, and each target with what was found."""

import math
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import quality_bound
from benchmarks.quality_lines import BASE, Line
from benchmarks.quality_table import BUDGET
from benchmarks.quality_ways import ORIGINAL, PAPER

OURS = ("ours", BUDGET)

MOST_OF_THE_PAPERS = {2: 0.85, 3: 0.92, 4: 0.92}
"""Held-out error, at most, as a share of the paper's algorithm's, by bits."""

MOST_OF_THE_ORIGINALS = 0.5
"""Held-out error at 4 bits, at most, as a share of the original way's."""

LEAST_SPEED = 5.0
"""Processor time of the paper's algorithm over ours, at least."""

_HEADER = """# How well each way compresses SmolLM2-135M

Made by `make bench-quality`; do not edit. The mean of ||(W - W^) X|| / ||W X|| on held-out tokens
over {matrices} matrices, in bits a parameter that count everything stored for them; the
perplexity of the whole model on the held-out tokens; processor seconds a matrix by one thread,
and the peak memory of a process that does nothing else ({machine}).

- `{paper}`: Algorithm 1 of Saha et al. (2024) with its published settings
  (`benchmarks/paper_caldera.py`).
- `{original}`: what the original experiment did. It takes more bits than the others.
- `ours`: one setting for all matrices, trellis-coded Q in a Hadamard basis, rank 31, factors of 2
  bits. `ours-rank0`: the same without L R.
- `{budget}`: `ours` or `ours-rank0` at any of the bits, chosen for each matrix by the exact
  allocator, in the bytes that the paper's algorithm takes for all of them together.
"""


def write_page(rows: Sequence[Line], path: Path) -> None:
    """Write the page of the rows of `quality_table.table`."""
    compressed = [row for row in rows if row["way"] != BASE]
    if not compressed:
        return
    text = _HEADER.format(
        matrices=compressed[0]["matrices"],
        machine=f"{platform.machine()}, {platform.system()}",
        paper=PAPER,
        original=ORIGINAL,
        budget=BUDGET,
    )
    bound = quality_bound.lines(sorted({row["bits"] for row in compressed}))
    parts = [text, *_table(rows), "", *_targets(compressed), "", *bound, ""]
    path.write_text("\n".join(parts), "utf-8")


def _table(rows: Sequence[Line]) -> Iterator[str]:
    yield "| bits asked | way | bits a parameter | error | of the paper's | perplexity | s | MB |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        cells = (
            f"{row['bits']}",
            f"`{row['way']}`",
            _shown(row["bits_per_parameter"], ".3f"),
            _shown(row["held_out_error"], ".4f"),
            _shown(row["ratio_to_paper"], ".3f"),
            _shown(row["perplexity"], ".2f"),
            _shown(row["cpu_s_per_matrix"], ".2f"),
            _shown(row["peak_memory_mb"], ".0f"),
        )
        yield f"| {' | '.join(cells)} |"


def _shown(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def _targets(rows: Sequence[Line]) -> Iterator[str]:
    """A table of targets, and whether each is met."""
    by = {(row["way"], row["bits"]): row for row in rows}
    yield "| target | found | |"
    yield "|---|---|---|"
    for bits, most in MOST_OF_THE_PAPERS.items():
        for way in OURS:
            if (way, bits) in by:
                found = by[way, bits]["ratio_to_paper"]
                what = f"{bits} bits: error of `{way}` over the paper's at most {most}"
                yield _target(what, found, found <= most)
    if ("ours", 4) in by and (ORIGINAL, 4) in by:
        ours, original = by["ours", 4], by[ORIGINAL, 4]
        found = ours["held_out_error"] / original["held_out_error"]
        fewer = ours["bits_per_parameter"] < original["bits_per_parameter"]
        what = f"4 bits: error of `ours` over the original's at most {MOST_OF_THE_ORIGINALS}"
        yield _target(f"{what}, in fewer bits", found, fewer and found <= MOST_OF_THE_ORIGINALS)
    for bits in sorted({row["bits"] for row in rows}):
        ways = {way: row for (way, width), row in by.items() if width == bits}
        if "ours" in ways and PAPER in ways:
            found = ways[PAPER]["cpu_s_per_matrix"] / ways["ours"]["cpu_s_per_matrix"]
            what = f"{bits} bits: the paper's algorithm takes at least {LEAST_SPEED} times as long"
            yield _target(what, found, found >= LEAST_SPEED)
        for way in sorted({"ours", BUDGET} & set(ways)) if PAPER in ways else ():
            found, most = ways[way]["perplexity"], ways[PAPER]["perplexity"]
            if not math.isnan(found + most):
                what = f"{bits} bits: perplexity of `{way}` at most the paper's, {most:.3f}"
                yield _target(what, found, found <= most)
        for what, key in (("error", "held_out_error"), ("perplexity", "perplexity")):
            known = {way: row[key] for way, row in ways.items() if not math.isnan(row[key])}
            if known:
                least = min(known, key=lambda way: known[way])
                said = f"{bits} bits: the least {what} is ours (it is `{least}`'s)"
                yield _target(said, known[least], least.startswith("ours"))


def _target(what: str, found: float, met: bool) -> str:
    return f"| {what} | {found:.3f} | {'met' if met else '**missed**'} |"
