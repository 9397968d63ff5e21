"""What benchmarks/quality.py has measured: one JSON line a matrix and way, found again by key."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import origin
from benchmarks.quality_ways import PAPER, WAYS

from goodhart_gap.files import read_json
from goodhart_gap.models.fingerprints import linear_shapes
from goodhart_gap.models.shards import block_of
from goodhart_gap.provenance.code_digest import code_digest
from goodhart_gap.provenance.hashing import sha256_file, sha256_source

BASE = "base"
"""The row of the model as it is."""

Line = dict[str, Any]


@dataclass(frozen=True)
class Module:
    """A matrix of the base, and where it is."""

    name: str
    block: int
    shard: Path
    sha256: str


class Subject:
    """The model that is compressed, and its calibration."""

    def __init__(self, base: Path, calibration: Path) -> None:
        self.base, self.calibration = base, calibration
        self.shards = sorted(base.glob("blocks*.safetensors"))
        self.modules = sorted(
            (module for shard in self.shards for module in _modules(shard)),
            key=lambda module: (module.block, module.name),
        )
        self.blocks = 1 + max(module.block for module in self.modules)
        self.tokens = calibration / "tokens.safetensors"
        hessians = sorted((calibration / "hessians").glob("*.safetensors"))
        self._calibration = [sha256_file(self.tokens), *map(sha256_source, hessians)]
        self._environment = environment()

    def key(self, way: str, bits: int, what: str) -> str:
        """What a line stands for: equal keys, equal numbers.

        `what` is the sha256 of a weight, or names all that makes up a whole model.
        """
        made_of = [way, bits, WAYS.get(way), _code_of(way), what]
        parts = [*made_of, self._calibration, self._environment]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class Lines:
    """The lines of a file, by key; of lines with equal keys the last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[str, Line] = {}
        for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue  # cut off by the end of an earlier run
            self._lines[line["key"]] = line

    def get(self, key: str) -> Line | None:
        """The line of `key`, if it has been measured."""
        return self._lines.get(key)

    def add(self, line: Line) -> None:
        """Append a line at once, so that nothing that was measured is lost."""
        self._lines[line["key"]] = line
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line) + "\n")


def environment() -> dict[str, Any]:
    """What of the machine and the libraries the numbers depend on."""
    here = origin.place()
    return {name: here[name] for name in ("cpu", "instructions", "format")} | origin.versions(
        "torch", "transformers", "numba"
    )


def _modules(shard: Path) -> list[Module]:
    record = read_json(shard.with_name(f"{shard.stem}.fingerprint.json"))
    found = []
    for name in linear_shapes(record):
        block = block_of(name)
        assert block is not None
        found.append(Module(name, block, shard, record["tensors"][f"{name}.weight"]["sha256"]))
    return found


def _code_of(way: str) -> str:
    """Digest of the code that makes the numbers of a way; of a model alone, none."""
    if way not in WAYS:
        return ""
    return digest_of("paper_caldera" if way == PAPER else "quality_ways")


def digest_of(name: str) -> str:
    """Digest of a module of the benchmarks and all of our library that it reaches."""
    return code_digest(name, Path(__file__).parent)
