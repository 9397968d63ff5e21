"""Tensors of a remote safetensors file, by HTTP range requests: only what is wanted is transferred.

    file = RemoteWeights(url, headers, "hf:someone/model@0123, model-00001-of-00037.safetensors")
    file.read(["model.layers.0.mlp.up_proj.weight"])  # {name: tensor}

Neighbouring tensors come in one request. A request that breaks off goes on where it stopped.
"""

import json
import logging
import struct
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx2
import torch
from huggingface_hub import get_session

from goodhart_gap.errors import GoodhartError

log = logging.getLogger(__name__)

WAITS_S = (1, 5, 20, 60)
"""Seconds waited before each further try; a try that brought bytes starts the count again."""

TIMEOUT_S = 30.0
"""Seconds without a byte after which a request is given up and tried again."""

FIRST_BYTES = 128 * 1024
"""Asked for first: nearly always the whole header."""

GAP_BYTES = 1 << 20
"""Unwanted bytes that are transferred rather than asking twice."""

DTYPES = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
}


@dataclass(frozen=True)
class _Entry:
    dtype: torch.dtype
    shape: list[int]
    begin: int
    end: int


class RemoteWeights:
    """A safetensors file behind an address that answers range requests."""

    def __init__(self, url: str, headers: Mapping[str, str], label: str) -> None:
        self.url = url
        self.headers = dict(headers)
        self.label = label

    @cached_property
    def tensors(self) -> dict[str, _Entry]:
        """Type, shape and byte range of each tensor. Raises GoodhartError on a broken header."""
        begin = self._bytes(0, FIRST_BYTES, at_most=True)
        try:
            (length,) = struct.unpack("<Q", begin[:8])
            begin += self._bytes(len(begin), 8 + length) if len(begin) < 8 + length else b""
            header = json.loads(bytes(begin[8 : 8 + length]))
            header.pop("__metadata__", None)
            return {name: self._entry(name, row, 8 + length) for name, row in header.items()}
        except (struct.error, ValueError, TypeError, LookupError) as error:
            raise GoodhartError(
                f"{self.label}: not a safetensors file; convert the checkpoint's weights."
            ) from error

    def _entry(self, name: str, row: Mapping[str, Any], start: int) -> _Entry:
        if row["dtype"] not in DTYPES:
            raise GoodhartError(
                f"{self.label}: {name} is stored as {row['dtype']}; use an unquantized checkpoint "
                f"({', '.join(DTYPES)})."
            )
        begin, end = row["data_offsets"]
        return _Entry(DTYPES[row["dtype"]], row["shape"], start + begin, start + end)

    def read(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Return those of the named tensors that are in the file."""
        wanted = sorted(
            ((self.tensors[name], name) for name in names if name in self.tensors),
            key=lambda item: item[0].begin,
        )
        tensors: dict[str, torch.Tensor] = {}
        for run in _runs(wanted):
            first, last = run[0][0].begin, max(entry.end for entry, _ in run)
            payload = self._bytes(first, last) if last > first else bytearray()
            for entry, name in run:
                tensors[name] = _tensor(payload, entry, first)
        return tensors

    def _bytes(self, begin: int, end: int, *, at_most: bool = False) -> bytearray:
        """Return bytes [begin, end) of the file; fewer, with `at_most`, where the file ends."""
        received = bytearray()
        tries = 0
        while len(received) < end - begin:
            before = len(received)
            try:
                if self._request(begin, end, received) and at_most:
                    break
                if len(received) > before:
                    tries = 0
                    continue
                reason = "empty answer"
            except httpx2.HTTPStatusError as error:
                status = error.response.status_code
                if status not in (408, 425, 429) and status < 500:
                    raise GoodhartError(
                        f"{self.label}: the server answers {status}; check `source`, `revision` "
                        "and HF_TOKEN."
                    ) from error
                reason = f"status {status}"
            except httpx2.HTTPError as error:
                reason = type(error).__name__
            tries = 0 if len(received) > before else tries + 1
            if tries >= len(WAITS_S):
                raise GoodhartError(
                    f"{self.label}: the Hugging Face hub cannot be reached ({reason}); check the "
                    "network, or use a `file:` source."
                )
            log.info("%s: %s, trying again", self.label, reason)
            time.sleep(WAITS_S[tries])
        return received

    def _request(self, begin: int, end: int, received: bytearray) -> bool:
        """Append what one request brings; return whether the file ends there."""
        start = begin + len(received)
        asked = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        with get_session().stream(
            "GET", self.url, headers=self.headers | asked, timeout=TIMEOUT_S, follow_redirects=True
        ) as response:
            response.raise_for_status()
            if response.status_code != 206:
                raise GoodhartError(
                    f"{self.label}: the server ignores range requests; download the checkpoint and "
                    "use a `file:` source."
                )
            span, _, size = response.headers["Content-Range"].removeprefix("bytes ").partition("/")
            if int(span.partition("-")[0]) != start:
                raise GoodhartError(f"{self.label}: the server sent another range than asked for.")
            for chunk in response.iter_raw():
                received += chunk
        return size.isdigit() and begin + len(received) >= int(size)


def _runs(wanted: list[tuple[_Entry, str]]) -> Iterator[list[tuple[_Entry, str]]]:
    """Yield tensors that one request should bring together, in file order."""
    run: list[tuple[_Entry, str]] = []
    for entry, name in wanted:
        if run and entry.begin - run[-1][0].end > GAP_BYTES:
            yield run
            run = []
        run.append((entry, name))
    if run:
        yield run


def _tensor(payload: bytearray, entry: _Entry, first: int) -> torch.Tensor:
    if entry.begin == entry.end:
        return torch.empty(entry.shape, dtype=entry.dtype)
    count = (entry.end - entry.begin) // entry.dtype.itemsize
    offset = entry.begin - first
    if offset % entry.dtype.itemsize:  # frombuffer wants aligned data; unwanted bytes may be odd
        payload, offset = payload[offset : offset + entry.end - entry.begin], 0
    flat = torch.frombuffer(payload, dtype=entry.dtype, count=count, offset=offset)
    return flat.view(entry.shape)
