"""Which weights of which file: what the index of a checkpoint whose shards overlap decides.

A condition that reuses others takes modules from several files, each of which holds more.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import torch

from goodhart_gap.compression.format import read_shard
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json


class Everything(Collection[str]):
    """The names of all weights, whatever they are."""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        raise TypeError("nobody knows all names")

    def __len__(self) -> int:
        raise TypeError("nobody knows all names")


def chosen_weights(
    shards: Sequence[Path], index: Path | None
) -> list[tuple[Path, Collection[str]]]:
    """Return each shard with the names of the weights that are taken from it.

    Without an index that is all of them. Raises GoodhartError when the index names a file that is
    not among `shards`.
    """
    if index is None:
        return [(path, Everything()) for path in shards]
    names: dict[tuple[str, str], set[str]] = {}
    for name, relative in read_json(index)["weight_map"].items():
        names.setdefault(_place(index.parent / relative), set()).add(name)
    given = {_place(path): path for path in shards}
    missing = sorted(set(names) - set(given))
    if missing:
        raise GoodhartError(
            f"{index}: takes weights from {'/'.join(missing[0])}, which is not among the shards "
            "given; give all shards of the condition."
        )
    return [(given[place], wanted) for place, wanted in names.items()]


def dense_weights(
    shards: Sequence[Path], index: Path | None
) -> Iterator[tuple[Path, str, torch.Tensor]]:
    """Yield (file, name, dense weight) of `shards`; with `index`, each from the file it names."""
    for path, wanted in chosen_weights(shards, index):
        for name, tensor in read_shard(path, wanted):
            yield path, name, tensor


def _place(path: Path) -> tuple[str, str]:
    """Folder and name: they tell the files of a model's conditions apart, wherever they lie."""
    parts: list[str] = []
    for part in path.absolute().parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return parts[-2], parts[-1]
