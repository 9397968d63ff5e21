"""The page of benchmarks/quality.py: its table in Markdown, and each target with what was found."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import quality_bound
from benchmarks.quality_foresight import FORESEEN
from benchmarks.quality_lines import BASE, Line, environment
from benchmarks.quality_perplexity import LEVEL, compare
from benchmarks.quality_table import BUDGET
from benchmarks.quality_ways import BUDGET_WAYS, ORIGINAL, PAPER

OURS = ("ours", FORESEEN, BUDGET)
"""Ways with targets."""

ALL_OURS = {*BUDGET_WAYS, *OURS}

MOST_OF_THE_PAPERS = {2: 0.85, 3: 0.92, 4: 0.92}
"""Held-out error, at most, as a share of the paper's algorithm's, by bits."""

MOST_OF_THE_ORIGINALS = 0.5
"""Held-out error at 4 bits, at most, as a share of the original way's."""

LEAST_SPEED = 5.0
"""Processor time of the paper's algorithm over ours, at least."""

MISSED = "**missed**"

_WHY_ERROR = (
    "Error, with one setting for all matrices: the ratio is that of what the two quantizers leave "
    "of noise, and the best conceivable code leaves not much less (the next section). What gets "
    "lower spends bits unequally."
)
_WHY_SLOW = (
    "Speed: `ours-rank0`, which has no L R, shows what the search of the trellis takes by itself."
)
_WHY_SLOW_BUDGET = (
    f"Speed of `{BUDGET}`: every option of a matrix is compressed before one is chosen. "
    f"`{FORESEEN}` is there to avoid that."
)
_WHY_PERPLEXITY = (
    "Perplexity: the mean error counts all matrices alike and on their own; how errors of "
    "different matrices add up in the output is not in it. Less error in the mean, which is what "
    "is minimised here, can so mean more perplexity."
)

_HEADER = """# How well each way compresses SmolLM2-135M

Made by `make bench-quality`; do not edit. The mean of ||(W - W^) X|| / ||W X|| on held-out tokens
over {matrices} matrices, in bits a parameter that count everything stored for them; the
perplexity of the whole model on the held-out tokens; processor seconds a matrix by one thread,
and the peak memory of a process that does nothing else.

{about}

- `{paper}`: Algorithm 1 of Saha et al. (2024) with its published settings
  (`benchmarks/paper_caldera.py`).
- `{original}`: what the original experiment did. It takes more bits than the others.
- `ours`: one setting for all matrices, trellis-coded Q in a Hadamard basis, rank 31, factors of 2
  bits. `ours-rank0`: the same without L R.
- `{foreseen}`: `ours` or `ours-rank0` at any of the bits, chosen for each matrix by the exact
  allocator, in the bytes that the paper's algorithm takes for all of them together, as a condition
  with `budget: {{loss: foreseen}}` does: the share of output energy that is lost, foreseen
  (`goodhart_gap.compression.foresight`) and summed over the matrices, is as small as it can be.
  Only what is chosen is compressed; its seconds hold the foresight.
- `{budget}`: the same by errors that were measured, and it is their sum that is least: that is what
  this table averages, and no other way here looks at it. Its seconds and memory are those of all
  options of a matrix, which must be there before one is chosen.
"""


def write_page(
    rows: Sequence[Line], path: Path, about: Iterable[str] = (), end: Iterable[str] = ()
) -> None:
    """Write the page of the rows of `quality_table.table`.

    `about` are items on the subject, `end` is Markdown for the end of the page.
    """
    compressed = [row for row in rows if row["way"] != BASE]
    if not compressed:
        return
    text = _HEADER.format(
        matrices=compressed[0]["matrices"],
        about="\n".join([*_made(rows), *about]),
        paper=PAPER,
        original=ORIGINAL,
        foreseen=FORESEEN,
        budget=BUDGET,
    )
    bound = quality_bound.lines(sorted({row["bits"] for row in compressed}))
    parts = [text, *_table(rows), "", *_targets(compressed), "", *bound, "", *end, ""]
    path.write_text("\n".join(parts), "utf-8")


def _made(rows: Sequence[Line]) -> Iterator[str]:
    """When, by which commits and on what the lines of the rows were made: keys hold the latter."""
    made = [each for row in rows for each in row["made"]]
    dates = sorted(each["date"] for each in made)
    commits = sorted({each["commit"] + (" with changes" if each["dirty"] else "") for each in made})
    here = environment()
    yield f"- Measured from {dates[0]} to {dates[-1]}, commit {', '.join(commits)}."
    yield (
        f"- Machine: {here.pop('cpu')} with {here.pop('instructions')}; it runs a model that is "
        f"calibrated in {here.pop('format')}, and one whose perplexity is measured in float32."
    )
    yield "- Versions: " + ", ".join(f"{name} {each}" for name, each in here.items()) + "."


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


@dataclass(frozen=True)
class _Target:
    """A target: what was found, and why it can be missed."""

    what: str
    found: str
    verdict: str
    why: str

    def __str__(self) -> str:
        return f"| {self.what} | {self.found} | {self.verdict} |"


def _targets(rows: Sequence[Line]) -> Iterator[str]:
    """A table of targets, whether each is met, and why those that are not are not."""
    yield (
        f"Perplexities are compared sequence by sequence, with an interval of {LEVEL:.0%} of their "
        "ratio; where it holds 1, these tokens cannot tell which is lower."
    )
    targets = list(_judged(rows))
    yield from ["", "| target | found | |", "|---|---|---|", *map(str, targets)]
    whys = dict.fromkeys(target.why for target in targets if target.verdict == MISSED)
    if whys:
        yield from ["", "Why targets are missed:", "", *(f"- {why}" for why in whys)]


def _judged(rows: Sequence[Line]) -> Iterator[_Target]:
    by = {(row["way"], row["bits"]): row for row in rows}
    for bits, most in MOST_OF_THE_PAPERS.items():
        for way in OURS:
            if (way, bits) in by:
                found = by[way, bits]["ratio_to_paper"]
                what = f"{bits} bits: error of `{way}` over the paper's at most {most}"
                yield _target(what, found, found <= most, _WHY_ERROR)
    if ("ours", 4) in by and (ORIGINAL, 4) in by:
        ours, original = by["ours", 4], by[ORIGINAL, 4]
        found = ours["held_out_error"] / original["held_out_error"]
        fewer = ours["bits_per_parameter"] < original["bits_per_parameter"]
        what = f"4 bits: error of `ours` over the original's at most {MOST_OF_THE_ORIGINALS}"
        met = fewer and found <= MOST_OF_THE_ORIGINALS
        yield _target(f"{what}, in fewer bits", found, met, _WHY_ERROR)
    for bits in sorted({row["bits"] for row in rows}):
        yield from _judged_at(bits, {way: row for (way, width), row in by.items() if width == bits})


def _judged_at(bits: int, ways: Mapping[str, Line]) -> Iterator[_Target]:
    """Targets of speed, perplexity and rank at some bits."""
    ours = [way for way in OURS if PAPER in ways and way in ways]
    for way in ours:
        found = ways[PAPER]["cpu_s_per_matrix"] / ways[way]["cpu_s_per_matrix"]
        what = f"{bits} bits: the paper's algorithm takes at least {LEAST_SPEED} times as "
        why = _WHY_SLOW_BUDGET if way == BUDGET else _WHY_SLOW
        yield _target(f"{what}long as `{way}`", found, found >= LEAST_SPEED, why)
    for way in ours:
        yield from _perplexities(ways[way], ways[PAPER])
    least = min(ways, key=lambda way: ways[way]["held_out_error"])
    said = f"{bits} bits: the least error is ours (it is `{least}`'s)"
    yield _target(said, ways[least]["held_out_error"], least in ALL_OURS, _WHY_ERROR)
    known = {way: row for way, row in ways.items() if not math.isnan(row["perplexity"])}
    own, others = (
        [row for way, row in known.items() if (way in ALL_OURS) == is_ours]
        for is_ours in (True, False)
    )
    if own and others:
        best = [min(each, key=lambda row: row["perplexity"]) for each in (own, others)]
        yield from _perplexities(*best, " (the least of ours, the least of the others)")


def _perplexities(ours: Line, other: Line, note: str = "") -> Iterator[_Target]:
    """The target that the perplexity of `ours` is at most that of `other`."""
    if math.isnan(ours["perplexity"] + other["perplexity"]):
        return
    what = f"{ours['bits']} bits: perplexity of `{ours['way']}` at most that of `{other['way']}`"
    if not ours["losses"] or not other["losses"]:
        found = f"{ours['perplexity'] / other['perplexity']:.3f}, without an interval"
        yield _Target(what + note, found, "open", _WHY_PERPLEXITY)
        return
    compared = compare(ours["losses"], other["losses"])
    said = f"{compared.ratio:.3f} of it ({compared.low:.3f} to {compared.high:.3f})"
    verdict = "not resolved"
    if compared.resolved:
        verdict = "met" if compared.ratio <= 1 else MISSED
    yield _Target(what + note, said, verdict, _WHY_PERPLEXITY)


def _target(what: str, found: float, met: bool, why: str) -> _Target:
    return _Target(what, f"{found:.3f}", "met" if met else MISSED, why)
