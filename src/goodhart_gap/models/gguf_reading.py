"""The gguf library's reader, quick enough for a vocabulary.

It keeps every token as slices of a numpy.memmap, and slicing one costs ten times what slicing an
ordinary array does; and transformers makes a reader for every question it asks. Here slices are
ordinary, a file is parsed once, and strings in lists are passed over where only weights are wanted.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import gguf
import numpy

Readers = Callable[[str], gguf.GGUFReader]


class QuickReader(gguf.GGUFReader):
    """Reads the same as its parent."""

    data: Any

    def _get(self, *args: Any, **kwargs: Any) -> Any:
        if isinstance(self.data, numpy.memmap):
            self.data = self.data.view(numpy.ndarray)  # of the same mapped file
        return super()._get(*args, **kwargs)


class WeightsReader(QuickReader):
    """Leaves lists of strings (the vocabulary and its merges) empty."""

    def _get_field_parts(self, start: int, kind: int) -> Any:
        if kind != gguf.GGUFValueType.ARRAY or self.byte_order != "I":
            return super()._get_field_parts(start, kind)
        element, count = self._get(start, numpy.uint32), self._get(start + 4, numpy.uint64)
        if element[0] != gguf.GGUFValueType.STRING:
            return super()._get_field_parts(start, kind)
        end = start + 12
        for _ in range(int(count[0])):
            (length,) = struct.unpack_from("=Q", self.data, end)
            end += 8 + length
        types = [gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.STRING]
        return end - start, [element, count], [], types


def readers(kind: type[gguf.GGUFReader]) -> Readers:
    """Return what makes a reader of a path, or gives the one it has made before."""
    return cache(kind)


@contextmanager
def read_by(found: Readers) -> Iterator[None]:
    """Let transformers read GGUF files by `found`, as long as this lasts."""
    before = gguf.GGUFReader
    gguf.GGUFReader = found  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        gguf.GGUFReader = before  # type: ignore[misc]
