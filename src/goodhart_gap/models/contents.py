"""Which weights a checkpoint holds: the file weights.json beside its config.json.

    {"architecture": "LlamaForCausalLM", "weights": {"model.norm.weight": [576], ...}}

Worked out once, from the model class that config.json names; whoever copies weights afterwards
needs neither the class nor transformers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goodhart_gap.files import read_json, write_json


@dataclass(frozen=True)
class Contents:
    """The weights that a checkpoint stores: not those that are others' (a tied head)."""

    architecture: str
    """Name of the transformers class."""

    shapes: Mapping[str, list[int]]
    """{name in the state dict: shape}."""


def write_contents(file: Path, contents: Contents) -> None:
    """Write weights.json."""
    weights = dict(sorted(contents.shapes.items()))
    write_json(file, {"architecture": contents.architecture, "weights": weights})


def read_contents(file: Path) -> Contents:
    """Read weights.json."""
    content = read_json(file)
    return Contents(content["architecture"], content["weights"])
