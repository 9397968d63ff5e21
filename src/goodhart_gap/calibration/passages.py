"""Calibration text from outside: `source: file:{text file}` and `source: hf:{data set}`."""

import hashlib
import importlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy
import torch

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.folder import first_line

log = logging.getLogger(__name__)


def passages_of_file(
    path: Path, tokenizer: Any, *, sequences: int, length: int, seed: int
) -> torch.Tensor:
    """Cut a text file into passages and choose some; returns int32 [sequences, length].

    Which passages, and in which order, follows from `seed`; none is taken twice. Raises
    GoodhartError when the file is missing, not UTF-8, or too short.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GoodhartError(
            f"calibration.source: {path} cannot be read as UTF-8 text ({first_line(error)}); "
            "correct the path or the file."
        ) from error
    ids = torch.tensor(tokenizer(text, add_special_tokens=False)["input_ids"], dtype=torch.int32)
    available = len(ids) // length
    if available < sequences:
        raise GoodhartError(
            f"calibration.source: {path} has {len(ids)} tokens, enough for {available} passages of "
            f"{length}, but calibration.sequences = {sequences}; give more text or ask for less."
        )
    digest = hashlib.sha256(f"{seed} calibration passages".encode()).digest()
    generator = numpy.random.Generator(numpy.random.Philox(key=int.from_bytes(digest[:16])))
    chosen = torch.from_numpy(generator.permutation(available)[:sequences])
    return ids[: available * length].view(available, length)[chosen]


def passages_of_dataset(
    name: str, revision: str, tokenizer: Any, *, sequences: int, length: int, seed: int
) -> torch.Tensor:
    """Stream a hub data set's `text` column; returns int32 [sequences, length].

    `name` is `{owner}/{name}` or `{owner}/{name}#{configuration}`, at the commit `revision`, split
    `train`. Documents are shuffled by `seed` within the stream's buffer. Raises GoodhartError
    without the `datasets` library, without network, or when the data set ends early.
    """
    return _joined(_documents(name, revision, seed), tokenizer, name, sequences, length)


def _documents(name: str, revision: str, seed: int) -> Iterator[str]:
    try:
        load_dataset = importlib.import_module("datasets").load_dataset
    except ImportError as error:
        raise GoodhartError(
            f"calibration.source: hf:{name} needs the `datasets` library; run `make hub`, "
            "or use `self` or `file:{text file}`."
        ) from error
    repository, _, configuration = name.partition("#")
    try:
        stream = load_dataset(
            repository, configuration or None, revision=revision, split="train", streaming=True
        )
        for row in stream.shuffle(seed=seed, buffer_size=10_000):
            yield row["text"]
    except (OSError, ValueError, KeyError) as error:
        raise GoodhartError(
            f"calibration.source: data set hf:{name} cannot be streamed ({first_line(error)}); "
            "check its name (a configuration goes after #), `revision`, its `text` column and the "
            "network."
        ) from error


def _joined(
    documents: Iterable[str], tokenizer: Any, name: str, sequences: int, length: int
) -> torch.Tensor:
    """Tokenize documents until there are enough tokens, an end-of-text token after each."""
    ids: list[int] = []
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    for document in documents:
        ids += tokenizer(document, add_special_tokens=False)["input_ids"] + end
        if len(ids) >= sequences * length:
            break
    else:
        raise GoodhartError(
            f"calibration.source: data set hf:{name} ends after {len(ids)} tokens, but "
            f"{sequences} x {length} are asked for; lower calibration.sequences."
        )
    return torch.tensor(ids[: sequences * length], dtype=torch.int32).view(sequences, length)
