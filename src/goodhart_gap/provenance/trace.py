"""Trace a number or a sentence of a document to the cell, the weights and the code that made it."""

from dataclasses import dataclass
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.cells import (
    Cell,
    Cells,
    Printed,
    argument_cells,
    printed_numbers,
    table_cells,
    weight_cells,
)
from goodhart_gap.provenance.chain import Chain, Entry

FILES_SHOWN = 12
"""Files of one step that are listed, unless all are asked for."""


@dataclass(frozen=True)
class Step:
    """One rule on the way from a document to its sources: all files of its that the chain needs."""

    name: str
    """Name of the rule, or `source` for files that no job made."""

    depth: int
    """Longest way from the document, in jobs."""

    paths: tuple[str, ...]
    needs: frozenset[str]
    """Names of the steps its inputs come from."""


def document_cells(chain: Chain, path: str) -> Cells:
    """Return every cell that the document's own inputs and arguments hold."""
    manifest = chain.entries[path].manifest
    cells = argument_cells(manifest.job.arguments)
    for record in manifest.inputs:
        file = chain.file(record.path)
        if file.suffix == ".csv" and file.is_file():
            cells += table_cells(file, record.path)
        elif file.name == "fingerprint.json" and file.is_file():
            cells += weight_cells(file, record.path)
    return Cells(cells)


def find_numbers(chain: Chain, path: str, quoted: str) -> list[tuple[Printed, list[Cell]]]:
    """Return the numbers in the lines of the document that hold `quoted`, with matching cells.

    Where `quoted` heads a column of a table, the numbers of that column are meant; where it holds a
    number itself, only that number. Raises GoodhartError if no line holds the text.
    """
    file = chain.entries[path].file
    text = file.read_text(encoding="utf-8")
    lines = {n for n, line in enumerate(text.splitlines(), 1) if quoted.lower() in line.lower()}
    if not lines:
        raise GoodhartError(
            f"{file}: no line holds {quoted!r}; quote it as the document prints it."
        )
    printed = list(printed_numbers(text))
    column = [number for number in printed if number.column.lower() == quoted.lower()]
    numbers = column or [number for number in printed if number.line in lines]
    wanted = {number.text for number in printed_numbers(quoted)}
    chosen = [number for number in numbers if number.text in wanted] or numbers
    once = {(number.line, number.text): number for number in chosen}
    cells = document_cells(chain, path)
    return [(number, cells.matching(number)) for number in once.values()]


def steps(chain: Chain, path: str) -> list[Step]:
    """Return the steps from the artifact down to its sources, nearest first."""
    depths = _depths(chain, path)
    names = {name: _step_name(chain, name) for name in depths}
    paths: dict[str, list[str]] = {}
    needs: dict[str, set[str]] = {}
    for name in depths:
        step = names[name]
        paths.setdefault(step, []).append(name)
        entry = chain.entries.get(name)
        records = entry.manifest.inputs if entry else []
        needs.setdefault(step, set()).update(names[record.path] for record in records)
    found = [
        Step(
            name=step,
            depth=max(depths[name] for name in members),
            paths=tuple(sorted(members)),
            needs=frozenset(needs[step] - {step}),
        )
        for step, members in paths.items()
    ]
    return sorted(found, key=lambda step: (step.depth, step.name))


def _step_name(chain: Chain, path: str) -> str:
    entry = chain.entries.get(path)
    return entry.manifest.job.script if entry else "source"


def _depths(chain: Chain, path: str) -> dict[str, int]:
    """Return the longest distance of each ancestor from the artifact (the chain has no cycle)."""
    order: list[str] = []
    seen: set[str] = set()
    stack = [(path, False)]
    while stack:
        name, done = stack.pop()
        if done:
            order.append(name)
        elif name not in seen:
            seen.add(name)
            stack.append((name, True))
            entry = chain.entries.get(name)
            stack.extend(
                (record.path, False) for record in (entry.manifest.inputs if entry else [])
            )
    depths = dict.fromkeys(reversed(order), 0)
    for name in depths:
        entry = chain.entries.get(name)
        for record in entry.manifest.inputs if entry else []:
            depths[record.path] = max(depths[record.path], depths[name] + 1)
    return depths


def chain_text(chain: Chain, path: str, *, every: bool = False) -> str:
    """Return the chain as text: each step with its code, and its files with their hashes."""
    lines = []
    for step in steps(chain, path):
        lines.append(_step_title(chain, step))
        shown = step.paths if every else step.paths[:FILES_SHOWN]
        lines += [
            f"    {_short(_hash_of(chain, name))}  {name}{_state(chain, name)}" for name in shown
        ]
        if len(shown) < len(step.paths):
            lines.append(f"    and {len(step.paths) - len(shown)} more (--all lists them)")
    return "\n".join(lines) + "\n"


def _step_title(chain: Chain, step: Step) -> str:
    if step.name == "source":
        return f"sources: {len(step.paths)} files"
    entries = [chain.entries[name] for name in step.paths]
    digests = sorted({entry.manifest.code.digest for entry in entries})
    return (
        f"{step.name}: {len(entries)} files, code {', '.join(digests)}"
        f"{_commits(entries)}, {min(entry.manifest.run.started for entry in entries)}"
    )


def _commits(entries: list[Entry]) -> str:
    found = {
        f"{state.commit[:10]}{' and uncommitted changes' if state.dirty else ''}"
        for entry in entries
        if (state := entry.manifest.code.repository) is not None
    }
    return f", commit {' and '.join(sorted(found))}" if found else ""


def _hash_of(chain: Chain, path: str) -> str:
    if path in chain.entries:
        return chain.entries[path].manifest.output.sha256
    records = (record for entry in chain.entries.values() for record in entry.manifest.inputs)
    return next(record.sha256 for record in records if record.path == path)


def _state(chain: Chain, path: str) -> str:
    entry = chain.entries.get(path)
    if entry is None or entry.file.exists():
        return ""
    return " (temporary, gone)" if entry.manifest.output.temporary else " (not here)"


def _short(sha256: str) -> str:
    return sha256[:16]


def artifact_named(chain: Chain, file: Path) -> str:
    """Return the logical path of a file of the chain.

    Raises GoodhartError if it has no intact manifest.
    """
    for path, entry in chain.entries.items():
        if entry.file == file or path == file.as_posix():
            return path
    raise GoodhartError(f"{file}: has no intact manifest under {chain.root}; run verify on it.")
