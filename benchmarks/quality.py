"""Error, perplexity, time, memory and measured bits of every way to compress a model.

    python -m benchmarks.quality --base results/models/smollm2-135m/base \
        --calibration results/models/smollm2-135m/calibration --bits 2 3 4

Every matrix is compressed in every way by one thread. What was measured is written line by line to
quality.jsonl in `--folder`, and a run goes on where an earlier one stopped: a line counts as long
as settings, code, base weight, calibration (tokens and Hessians), CPU and versions are the same.
The table (printed, quality.csv, and `--page` in Markdown) holds, over the matrices that all ways
have finished,

- the mean of ||(W - W^) X|| / ||W X|| on held-out tokens, and its ratio to the paper's algorithm;
- bits a parameter, counting everything stored for the matrices;
- processor seconds a matrix, so that a loaded machine does not matter, and the peak memory of a
  process that does nothing but compress;
- the perplexity of the whole model on the held-out tokens, once all its matrices are there; the
  loss of each sequence is kept, so that two models are compared sequence by sequence.

Blocks are taken in an order that spreads over the model, so that a table of some is a fair sample.
"""

import argparse
import multiprocessing
import resource
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from benchmarks import origin, quality_foresight, quality_perplexity, quality_subject
from benchmarks.quality_lines import BASE, Lines, Module, Subject
from benchmarks.quality_page import write_page
from benchmarks.quality_table import (
    finished,
    foreseen,
    measured,
    mixed,
    show,
    table,
    whole_key,
)
from benchmarks.quality_ways import BUDGET_WAYS, WAYS, assess, by_way
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from goodhart_gap.compression.hessians import HessianFile


@dataclass(frozen=True)
class Place:
    """Where things are: the base, its calibration, and what is measured."""

    base: Path
    calibration: Path
    folder: Path

    def lines(self) -> Lines:
        """What has been measured so far."""
        return Lines(self.folder / "quality.jsonl")

    def dense(self, key: str) -> Path:
        """Where the reconstruction of a line waits for the perplexity of the whole."""
        return self.folder / "quality" / f"{key}.safetensors"


def left(
    place: Place, subject: Subject, lines: Lines, way: str, bits: int, blocks: Sequence[int]
) -> list[Module]:
    """The matrices of `blocks` that have not been compressed in that way."""
    keys = {module: subject.key(way, bits, module.sha256) for module in subject.modules}
    return [
        module
        for module, key in keys.items()
        if module.block in blocks and not (lines.get(key) and place.dense(key).exists())
    ]


def compress_blocks(place: Place, way: str, bits: int, blocks: tuple[int, ...]) -> None:
    """Compress what is not there yet; runs in a process of its own."""
    torch.set_num_threads(1)
    subject, lines, made = Subject(place.base, place.calibration), place.lines(), origin.made()
    for module in left(place, subject, lines, way, bits, blocks):
        key = subject.key(way, bits, module.sha256)
        weight, train, held_out = _read(place, module)
        found = assess(by_way(way, bits), weight, train, held_out)
        place.dense(key).parent.mkdir(parents=True, exist_ok=True)
        save_file({"weight": found.dense.bfloat16()}, place.dense(key))
        lines.add(
            {
                "key": key,
                "made": made,
                "way": way,
                "bits": bits,
                "module": module.name,
                "parameters": weight.numel(),
                "bytes": found.size_bytes,
                "weighted_error": found.weighted_error,
                "held_out_error": found.held_out_error,
                "cpu_s": found.cpu_s,
                "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )


def _read(place: Place, module: Module) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A weight and its two Hessians."""
    path = place.calibration / "hessians" / module.shard.name
    with safe_open(module.shard, framework="pt") as file, HessianFile(path) as hessians:
        owner = hessians.owner(module.name)
        weight = file.get_tensor(f"{module.name}.weight").float()
        return weight, hessians.read(owner, "train"), hessians.read(owner, "held_out")


def foresee(place: Place, bits: Sequence[int]) -> None:
    """Foresee what is not there yet; runs in a process of its own."""
    quality_foresight.foresee(Subject(place.base, place.calibration), place.lines(), bits)


def measure_perplexity(
    place: Place, way: str, bits: int, key: str, parts: Mapping[str, str]
) -> None:
    """Perplexity of the model with the reconstructions `parts` {module: key} in place."""
    lines = place.lines()
    if "losses" in (lines.get(key) or {}):
        return
    tokens = load_file(place.calibration / "tokens.safetensors")["held_out"].long()
    dense = {module: place.dense(part) for module, part in parts.items()}
    losses = quality_perplexity.measure(place.base, dense, tokens)
    found = {"perplexity": quality_perplexity.perplexity(losses), "losses": losses}
    lines.add({"key": key, "way": way, "bits": bits, "made": origin.made(), **found})


def spread(blocks: int) -> list[int]:
    """All blocks, each as far from those before it as can be: 0, the last, the middle, ..."""
    order = [0]
    while len(order) < blocks:
        left = sorted(set(range(blocks)) - set(order), reverse=True)
        order.append(max(left, key=lambda i: min(abs(i - j) for j in order)))
    return order


def alone(function: Any, *arguments: Any) -> None:
    """Call `function` in a process of its own, so that its peak memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        pool.submit(function, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--calibration", type=Path, required=True)
    parser.add_argument("--bits", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--blocks", type=int, nargs="+", help="only these blocks (all)")
    parser.add_argument("--blocks-at-once", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--page", type=Path, help="the table in Markdown, with the targets")
    parser.add_argument("--report-only", action="store_true", help="the table of what is there")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    place = Place(args.base, args.calibration, args.folder)
    subject = Subject(args.base, args.calibration)
    blocks = args.blocks or spread(subject.blocks)
    grid = (args.ways, args.bits, blocks)
    if not args.report_only:
        if set(BUDGET_WAYS) <= set(args.ways):
            alone(foresee, place, args.bits)
        for start in range(0, len(blocks), args.blocks_at_once):
            some = tuple(blocks[start : start + args.blocks_at_once])
            for bits in args.bits:
                for way in args.ways:
                    if left(place, subject, place.lines(), way, bits, some):
                        alone(compress_blocks, place, way, bits, some)
            show(table(subject, place.lines(), *grid), args.folder / "quality.csv")
        found = measured(subject, place.lines(), *grid)
        if len(finished(found)) == len(subject.modules):
            wholes: dict[tuple[str, int], tuple[str, dict[str, str]]] = {
                (BASE, 16): (whole_key(subject, BASE, 16, {}), {})
            }
            foresight = foreseen(subject, place.lines(), args.bits)
            models = found | mixed(found, foresight, finished(found), args.bits)
            for (way, bits), lines in models.items():
                parts = {name: line["key"] for name, line in lines.items()}
                wholes[way, bits] = whole_key(subject, way, bits, lines), parts
            for (way, bits), (key, parts) in wholes.items():
                alone(measure_perplexity, place, way, bits, key, parts)
    rows = table(subject, place.lines(), *grid)
    show(rows, args.folder / "quality.csv")
    if args.page is not None:
        lines = place.lines()
        foresight = foreseen(subject, lines, args.bits)
        near = quality_foresight.nearness(measured(subject, lines, *grid), foresight)
        write_page(rows, args.page, quality_subject.lines(subject), near)


if __name__ == "__main__":
    main()
