"""What a page says about growth, from the lines that benchmarks/growth.py has written.

python -m benchmarks.growth_table [benchmarks/results/growth.jsonl]
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.growth_fit import NOISE, TOLERANCE, Fit, fit

Line = dict[str, Any]

RESULTS = Path("benchmarks/results/growth.jsonl")

FLAT = 0.10
"""Peak memory that has grown by less than this share has not grown."""

LONG_S = 0.5
"""Points under this are left out where wall-clock and processor time are compared."""


@dataclass(frozen=True)
class Growth:
    """A stage along an axis: its points, and what follows from them."""

    axis: str
    what: str
    points: tuple[Line, ...]
    """By size; the first is the start."""

    @property
    def sizes(self) -> list[int]:
        """Sizes of the points."""
        return [point["size"] for point in self.points]

    def of(self, name: str) -> list[float]:
        """A quantity of every point."""
        return [float(point[name]) for point in self.points]

    @property
    def work(self) -> Fit:
        """Work against size."""
        return fit(self.sizes, self.of("work"))

    @property
    def seconds(self) -> Fit:
        """Time against size."""
        return fit(self.sizes, self.of("seconds"))

    @property
    def seconds_of_work(self) -> Fit:
        """Time against work."""
        return fit(self.of("work"), self.of("seconds"))

    @property
    def memory(self) -> Fit:
        """Peak memory against size."""
        return fit(self.sizes, self.of("peak_bytes"))

    @property
    def allowed(self) -> float:
        """Exponent that peak memory may have."""
        return float(self.points[0]["memory_exponent"])

    @property
    def too_slow(self) -> bool:
        """Whether time grows faster than the work."""
        found = self.seconds_of_work
        return found.grows and found.last is not None and found.last > 1 + TOLERANCE

    @property
    def too_large(self) -> bool:
        """Whether peak memory grows faster than it may."""
        found = self.memory
        if found.grown < FLAT:
            return False
        return self.allowed == 0 or (
            found.last is not None and found.last > self.allowed + TOLERANCE
        )


def read(path: Path) -> list[Growth]:
    """Read the lines of the latest session of every axis, stage by stage."""
    rows = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    session = {row["axis"]: row["session"] for row in rows}
    stages: dict[tuple[str, str], list[Line]] = {}
    for row in rows:
        if row["session"] == session[row["axis"]]:
            stages.setdefault((row["axis"], row["what"]), []).append(row)
    return [
        Growth(axis, what, tuple(sorted(points, key=lambda point: point["size"])))
        for (axis, what), points in stages.items()
        if len(points) > 2
    ]


def lines(path: Path) -> list[str]:
    """Return the Markdown about growth."""
    found = read(path) if path.exists() else []
    if not found:
        return ["## Growth", "", "Not measured yet: `python -m benchmarks.growth` measures it."]
    text = ["## Growth", "", *_introduction(found), "", *_verdict(found)]
    for axis in dict.fromkeys(growth.axis for growth in found):
        own = [growth for growth in found if growth.axis == axis]
        text += ["", f"### Against {axis}", "", f"Fixed: {own[0].points[0]['fixed']}.", ""]
        text += [*_times(axis, own), "", *_memories(axis, own)]
    return text


def _introduction(found: Sequence[Growth]) -> Iterator[str]:
    points = [point for growth in found for point in growth.points]
    commits = dict.fromkeys(_commit(point) for point in points)
    machines = dict.fromkeys(point["machine"]["cpu"] for point in points)
    repetitions = sorted({point["repetitions"] for point in points})
    slower = max(
        (p["wall_seconds"] / p["seconds"] for p in points if p["seconds"] > LONG_S), default=1.0
    )
    yield (
        f"`python -m benchmarks.growth`, one core, {', '.join(machines)}, commit "
        f"{', '.join(commits)}. Each point is a process of its own that runs the scripts of the "
        f"rules on made-up inputs, {repetitions[0]} to {repetitions[-1]} times. The least "
        "processor time counts, without the start of Python and its imports, except for "
        f"`snakemake`; wall-clock time was up to {slower:.2f} times that. Peak memory is the "
        "process's largest resident size, libraries included."
    )
    yield ""
    yield (
        "An exponent e says: twice the size is 2^e times the growth. Growth is what a point takes "
        "over the axis's first, smallest size, so that what does not grow cancels "
        "(benchmarks/growth_fit.py). First the exponent of a fit to all sizes, in brackets that of "
        "the last two. `work` counts what has to be done, without regard to how it is done: an "
        "exponent of time against work of 1 is linear. A dash: grown by less than "
        f"{NOISE:.0%} of the first size. Worse means over {1 + TOLERANCE:.2f} between the last two "
        f"sizes, since repeated times differ; memory is flat under {FLAT:.0%}."
    )


def _verdict(found: Sequence[Growth]) -> Iterator[str]:
    slow = [f"{growth.what} against {growth.axis}" for growth in found if growth.too_slow]
    large = [f"{growth.what} against {growth.axis}" for growth in found if growth.too_large]
    yield (
        f"Worse than linear in the work: {'; '.join(slow)}."
        if slow
        else f"None of the {len(found)} is worse than linear in its work."
    )
    yield (
        f"More memory than expected: {'; '.join(large)}."
        if large
        else "Peak memory grows nowhere faster than expected."
    )


def _times(axis: str, found: Sequence[Growth]) -> Iterator[str]:
    sizes = found[0].sizes
    heads = ["stage", *(f"{size} {axis}, s" for size in sizes), "work, counted in"]
    heads += [f"work ~ {axis}^", f"time ~ {axis}^", "time ~ work^", "verdict"]
    yield from _header(heads)
    for growth in found:
        cells = [growth.what, *map(_seconds, growth.of("seconds")), growth.points[0]["unit"]]
        fits = [growth.work, growth.seconds, growth.seconds_of_work]
        verdict = "worse than linear" if growth.too_slow else _kind(growth.seconds_of_work)
        yield _row([*cells, *map(_exponent, fits), verdict])


def _memories(axis: str, found: Sequence[Growth]) -> Iterator[str]:
    sizes = found[0].sizes
    heads = ["stage", *(f"{size} {axis}, MiB" for size in sizes), "grown by"]
    heads += [f"peak ~ {axis}^", "expected at most", "verdict"]
    yield from _header(heads)
    for growth in found:
        peaks = [f"{value / 2**20:.0f}" for value in growth.of("peak_bytes")]
        expected = f"{growth.allowed:g}" if growth.allowed else "flat"
        flat = growth.memory.grown < FLAT
        verdict = "more than expected" if growth.too_large else "flat" if flat else "as expected"
        grown = f"{growth.memory.grown:.0%}"
        yield _row([growth.what, *peaks, grown, _exponent(growth.memory), expected, verdict])


def _kind(found: Fit) -> str:
    if not found.grows:
        return "does not grow"
    if found.last is None:
        return "too little to tell"
    return "linear" if found.last > 1 - TOLERANCE else "less than linear"


def _exponent(found: Fit) -> str:
    return "-" if found.whole is None else f"{found.whole:.2f} ({found.last:.2f})"


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _commit(point: Line) -> str:
    return f"{(point['commit'] or 'unknown')[:10]}{' (edited)' if point['dirty'] else ''}"


def _header(heads: Sequence[str]) -> Iterator[str]:
    yield _row(heads)
    yield "|---" * len(heads) + "|"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    print("\n".join(lines(path)))


if __name__ == "__main__":
    main()
