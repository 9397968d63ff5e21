"""Check that documents say what their tables say.

Two checks of a document whose bytes and inputs are intact: every number it prints shows a cell of a
table it was made from (or one of its job's arguments), and rendering it again from those tables
gives the same bytes. The second needs the code it was rendered with.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from goodhart_gap.provenance.cells import printed_numbers
from goodhart_gap.provenance.chain import Chain, Entry
from goodhart_gap.provenance.code_digest import PACKAGE, SCRIPTS, code_digest
from goodhart_gap.provenance.hashing import sha256_file
from goodhart_gap.provenance.trace import document_cells

NUMBERS_NAMED = 5
"""Numbers without a cell that are named; the rest are counted."""


def documents(chain: Chain) -> list[Entry]:
    """Return the documents of the chain: Markdown that a job rendered from tables."""
    return [
        entry
        for path, entry in sorted(chain.entries.items())
        if path.endswith(".md") and entry.file.is_file()
    ]


def wrong_numbers(chain: Chain, entry: Entry) -> Iterator[str]:
    """Yield what is wrong with the numbers of a document, at most one sentence."""
    cells = document_cells(chain, entry.path)
    printed = printed_numbers(entry.file.read_text(encoding="utf-8"))
    wrong = [number for number in printed if not cells.has(number)]
    if wrong:
        named = ", ".join(f"{number.text} (line {number.line})" for number in wrong[:NUMBERS_NAMED])
        more = f" and {len(wrong) - NUMBERS_NAMED} more" if len(wrong) > NUMBERS_NAMED else ""
        yield f"prints numbers that no cell of its tables shows: {named}{more}"


def can_be_rendered(chain: Chain, entry: Entry) -> bool:
    """Whether the code that rendered the document is the code that is here, and its inputs too."""
    manifest = entry.manifest
    script = SCRIPTS / f"{manifest.job.script}.py"
    inputs = (chain.file(record.path) for record in manifest.inputs)
    return (
        script.is_file()
        and code_digest(manifest.job.script) == manifest.code.digest
        and all(file.is_file() for file in inputs)
    )


def rendered_otherwise(chain: Chain, entry: Entry) -> Iterator[str]:
    """Yield what is wrong if rendering a document again gives other bytes."""
    manifest = entry.manifest
    places = {record.path: str(chain.file(record.path)) for record in manifest.inputs}
    with tempfile.TemporaryDirectory() as folder:
        outputs = {record.path: Path(folder, record.path) for record in manifest.outputs}
        places |= {path: str(file) for path, file in outputs.items()}
        words = [places.get(word, word) for word in manifest.job.command]
        script = str(SCRIPTS / f"{manifest.job.script}.py")
        result = subprocess.run(
            [sys.executable, script, *words],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        )
        if result.returncode:
            yield f"cannot be rendered again: {' '.join(result.stderr.split()[-30:])}"
        elif sha256_file(outputs[entry.path]) != manifest.output.sha256:
            yield f"its tables give another text: {_first_difference(entry, outputs[entry.path])}"


def _first_difference(entry: Entry, other: Path) -> str:
    here = entry.file.read_text(encoding="utf-8").splitlines()
    there = other.read_text(encoding="utf-8").splitlines()
    pairs = enumerate(zip(here, there, strict=False), start=1)
    line = next((n for n, (ours, new) in pairs if ours != new), min(len(here), len(there)) + 1)
    return f"line {line} differs"
