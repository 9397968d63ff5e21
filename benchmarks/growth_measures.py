"""What benchmarks/growth.py measures: an axis, a stage on it, and how its inputs come to be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Jobs = list[list[str]]
"""Jobs of benchmarks/growth_job.py: the name of a script and its arguments, each as a word."""


@dataclass(frozen=True)
class Prepared:
    """The jobs of one point, inputs in place, and the work that they do."""

    jobs: Jobs
    work: float | None = None
    """Number of `Measure.unit`; None where Snakemake counts its jobs itself."""


@dataclass(frozen=True)
class Measure:
    """One stage whose growth is measured."""

    what: str
    """Name of the stage, as tables show it."""

    unit: str
    """What the work is counted in: time has to be linear in it."""

    memory_exponent: float
    """With which power of the size peak memory may grow; 0 where it may not grow."""

    prepare: Callable[[Path, int], Prepared]
    """Makes the inputs in a folder that all measures of a size share, in the order of the axis."""


@dataclass(frozen=True)
class Axis:
    """A size, and the stages that are measured against it."""

    name: str
    start: int
    """A small size that is measured to know what does not grow."""

    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    """Sizes for trying things out; the first stands for `start`."""

    fixed: str
    """What stays the same, in words."""

    measures: Sequence[Measure]


def job(script: str, **flags: object) -> list[str]:
    """Return a job: `first_name=3` becomes `--first-name 3`, a list several words."""
    words = [script]
    for name, value in flags.items():
        values = value if isinstance(value, list | tuple) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return words
