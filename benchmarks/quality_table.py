"""The table of benchmarks/quality.py, from the lines that are valid now."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.quality_foresight import FORESEEN, key_of, option
from benchmarks.quality_lines import BASE, Line, Lines, Subject, digest_of
from benchmarks.quality_ways import BUDGET_WAYS, PAPER

from goodhart_gap.compression.budget import Option, choose

BUDGET = "ours-budget"
"""Ours with bits and rank chosen per matrix, by `budget.choose`, in the bytes the paper's takes."""

UNSHOWN = ("losses", "made")
"""The loss of each held-out sequence; when and by which commit each line of a row was made."""

Measured = dict[tuple[str, int], dict[str, Line]]
"""{(way, bits): {module: line}}."""


def measured(
    subject: Subject, lines: Lines, ways: Sequence[str], bits: Sequence[int], blocks: Sequence[int]
) -> Measured:
    """The valid lines of the modules of `blocks`."""
    return {
        (way, width): {
            module.name: line
            for module in subject.modules
            if module.block in blocks
            and (line := lines.get(subject.key(way, width, module.sha256))) is not None
        }
        for way in ways
        for width in bits
    }


def finished(found: Measured) -> list[str]:
    """Modules that have been compressed in all ways."""
    return sorted(set.intersection(*(set(each) for each in found.values())))


def foreseen(subject: Subject, lines: Lines, bits: Sequence[int]) -> dict[str, Line]:
    """{module: the line of its foreseen errors}, of all that are there."""
    keys = {module.name: key_of(subject, module, bits) for module in subject.modules}
    return {name: line for name, key in keys.items() if (line := lines.get(key)) is not None}


def mixed(
    found: Measured, foresight: Mapping[str, Line], modules: Sequence[str], bits: Sequence[int]
) -> Measured:
    """The lines of the ways that choose for each matrix, as far as what they need is there."""
    ways = {way for way, _ in found}
    if PAPER not in ways or not set(BUDGET_WAYS) <= ways:
        return {}
    models = {(BUDGET, width): allocate(found, modules, width) for width in bits}
    if set(modules) <= set(foresight):
        models |= {(FORESEEN, width): trust(found, foresight, modules, width) for width in bits}
    return models


def allocate(found: Measured, modules: Sequence[str], bits: int) -> dict[str, Line]:
    """{module: its line} of the least summed error on calibration tokens in the paper's bytes.

    Seconds and memory are those of all options, which must be there before one is chosen.
    """
    lines = {module: _options(found, module) for module in modules}
    losses = {
        module: {name: line["weighted_error"] for name, line in each.items()}
        for module, each in lines.items()
    }
    chosen = _chosen(found, lines, losses, bits)
    return {
        module: each[chosen[module]]
        | {
            "cpu_s": sum(line["cpu_s"] for line in each.values()),
            "peak_memory_mb": max(line["peak_memory_mb"] for line in each.values()),
        }
        for module, each in lines.items()
    }


def trust(
    found: Measured, foresight: Mapping[str, Line], modules: Sequence[str], bits: int
) -> dict[str, Line]:
    """{module: its line} of the least energy that is foreseen to be lost, in the paper's bytes.

    As a condition with `budget: {loss: foreseen}` chooses. Seconds are those of the foresight and
    of what is chosen; it was made when that was foreseen.
    """
    lines = {module: _options(found, module) for module in modules}
    losses = {
        module: {name: error**2 for name, error in foresight[module]["errors"].items()}
        for module in modules
    }
    chosen = _chosen(found, lines, losses, bits)
    return {
        module: each[chosen[module]]
        | {
            "cpu_s": each[chosen[module]]["cpu_s"] + foresight[module]["cpu_s"],
            "made": foresight[module]["made"],
        }
        for module, each in lines.items()
    }


def _options(found: Measured, module: str) -> dict[str, Line]:
    """What a matrix may become, by name."""
    return {option(*way): each[module] for way, each in found.items() if way[0] in BUDGET_WAYS}


def _chosen(
    found: Measured,
    lines: Mapping[str, Mapping[str, Line]],
    losses: Mapping[str, Mapping[str, float]],
    bits: int,
) -> dict[str, str]:
    """{module: name of its option} of the least summed loss in the paper's bytes."""
    budget = sum(found[PAPER, bits][module]["bytes"] for module in lines)
    options = {
        module: [Option(n, line["bytes"], losses[module][n]) for n, line in each.items()]
        for module, each in lines.items()
    }
    return choose(options, budget)


def whole_key(subject: Subject, way: str, bits: int, found: dict[str, Line]) -> str:
    """Key of a whole model's perplexity, made of the lines `found` of all its modules.

    None of them for the base.
    """
    parts = [digest_of("quality_perplexity"), *(found[name]["key"] for name in sorted(found))]
    return subject.key(way, bits, " ".join(parts))


def table(
    subject: Subject, lines: Lines, ways: Sequence[str], bits: Sequence[int], blocks: Sequence[int]
) -> list[Line]:
    """The rows; `UNSHOWN` of them is for the page alone."""
    found = measured(subject, lines, ways, bits, blocks)
    modules = finished(found)
    if not modules:
        return []
    rows = []
    chosen = mixed(found, foreseen(subject, lines, bits), modules, bits)
    for width in bits:
        each = {way: {name: found[way, width][name] for name in modules} for way in ways}
        each |= {way: part for (way, of), part in chosen.items() if of == width}
        means = {way: _mean(part, "held_out_error") for way, part in each.items()}
        for way, part in each.items():
            whole = None
            if len(part) == len(subject.modules):
                whole = lines.get(whole_key(subject, way, width, part))
            size = sum(line["bytes"] for line in part.values())
            rows.append(
                {
                    "way": way,
                    "bits": width,
                    "matrices": len(part),
                    "bits_per_parameter": 8 * size / sum(x["parameters"] for x in part.values()),
                    "held_out_error": means[way],
                    "ratio_to_paper": means[way] / means[PAPER] if PAPER in means else math.nan,
                    "perplexity": whole["perplexity"] if whole else math.nan,
                    "losses": whole.get("losses") if whole else None,
                    "made": [line["made"] for line in (*part.values(), whole) if line],
                    "cpu_s_per_matrix": _mean(part, "cpu_s"),
                    "peak_memory_mb": max(line["peak_memory_mb"] for line in part.values()),
                }
            )
    base = lines.get(whole_key(subject, BASE, 16, {}))
    if base:
        known = {"way": BASE, "bits": 16, "perplexity": base["perplexity"], "made": [base["made"]]}
        known["losses"] = base.get("losses")
        rows.append(dict.fromkeys(rows[0], math.nan) | known)
    return rows


def show(rows: list[Line], path: Path) -> None:
    """Print the table, and write it as CSV."""
    rows = [{name: x for name, x in row.items() if name not in UNSHOWN} for row in rows]
    if not rows:
        print("nothing to compare yet: no matrix has been compressed in all ways", flush=True)
        return
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(" ".join(f"{name:>18}" for name in rows[0]))
    for row in rows:
        print(" ".join(f"{x:18.4f}" if isinstance(x, float) else f"{x:>18}" for x in row.values()))
    print(flush=True)


def _mean(lines: dict[str, Line], name: str) -> float:
    return float(sum(line[name] for line in lines.values()) / len(lines))
