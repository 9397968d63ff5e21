"""The errors of our ways foreseen for every matrix, and what foreseeing them takes.

Of the sum over matrices only what is chosen has to be compressed; noise of each shape is compressed
in each way once, by whichever matrix of that shape comes first.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from statistics import median, quantiles

import torch
from benchmarks import origin
from benchmarks.quality_lines import Line, Lines, Module, Subject, digest_of
from benchmarks.quality_ways import BUDGET_WAYS, DAMPING, settings_of
from safetensors import safe_open

from goodhart_gap.compression.foresight import exposure, share_left
from goodhart_gap.compression.hessians import HessianFile
from goodhart_gap.compression.metric import Metric

FORESEEN = "ours-foreseen"
"""Ours with bits and rank chosen per matrix, in the bytes the paper's takes, by foreseen errors."""


def option(way: str, bits: int) -> str:
    """Name of a way at some bits, as an option of a matrix."""
    return f"{way} {bits}"


def key_of(subject: Subject, module: Module, bits: Iterable[int]) -> str:
    """Key of the line of a matrix: it holds the foreseen error of every option."""
    what = [digest_of("quality_foresight"), *map(str, sorted(bits)), module.sha256]
    return subject.key(FORESEEN, 0, " ".join(what))


def foresee(subject: Subject, lines: Lines, bits: Iterable[int]) -> None:
    """Foresee the errors of all matrices whose line is not there; by one thread."""
    torch.set_num_threads(1)
    options = [(way, width) for way in BUDGET_WAYS for width in sorted(bits)]
    made, metrics = origin.made(), _Metrics(subject)
    for module in subject.modules:
        key = key_of(subject, module, bits)
        if lines.get(key):
            continue
        start_s = time.process_time()
        with safe_open(module.shard, framework="pt") as file:
            weight = file.get_tensor(f"{module.name}.weight").float()
        exposed = exposure(weight, metrics.of(module))
        errors = {
            option(way, width): (exposed * share_left(*weight.shape, settings_of(way, width)))
            ** 0.5
            for way, width in options
        }
        spent_s = time.process_time() - start_s
        line: Line = {"key": key, "made": made, "way": FORESEEN, "module": module.name}
        lines.add(line | {"errors": errors, "cpu_s": spent_s})


def nearness(
    found: Mapping[tuple[str, int], Mapping[str, Line]], foresight: Mapping[str, Line]
) -> Iterator[str]:
    """The Markdown that says how near to what was foreseen the errors came."""
    yield _TEXT
    for (way, width), each in found.items():
        if way in BUDGET_WAYS and set(each) <= set(foresight) and len(each) > 1:
            came = [
                line["weighted_error"] / foresight[module]["errors"][option(way, width)]
                for module, line in each.items()
            ]
            low, *_, high = quantiles(came, n=20)
            cells = (
                f"{median(came):.3f} | {low:.3f} | {high:.3f} | {min(came):.3f} | {max(came):.3f}"
            )
            yield f"| {width} | `{way}` | {cells} |"


_TEXT = """## How near foreseen errors come

The error on calibration tokens over the one that was foreseen of it, over the matrices.

| bits | way | median | 5% | 95% | least | most |
|---|---|---|---|---|---|---|"""


class _Metrics:
    """The metric of the inputs that were asked for last: modules in a row share it."""

    def __init__(self, subject: Subject) -> None:
        self._folder = subject.calibration / "hessians"
        self._last: tuple[tuple[str, str], Metric] | None = None

    def of(self, module: Module) -> Metric:
        with HessianFile(self._folder / module.shard.name) as hessians:
            name = (module.shard.name, hessians.owner(module.name))
            if self._last is None or self._last[0] != name:
                self._last = name, Metric(hessians.read(name[1], "train"), DAMPING)
        return self._last[1]
