"""Calibration tokens: three sources, two parts, every count recorded."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoTokenizer

from goodhart_gap.calibration.passages import passages_of_dataset, passages_of_file
from goodhart_gap.calibration.settings import CalibrationSettings
from goodhart_gap.calibration.tokens import held_out_count, make_tokens, write_tokens
from goodhart_gap.errors import GoodhartError
from tests.unit.conftest import Folders

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def tokenizer(bases: Folders) -> Any:
    return AutoTokenizer.from_pretrained(bases("llama"))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(" ".join(f"Shirt number {i} costs {i} dollars." for i in range(400)))
    return path


def test_passages_are_taken_from_the_text_and_none_twice(text: Path, tokenizer: Any) -> None:
    passages = passages_of_file(text, tokenizer, sequences=20, length=32, seed=3)
    assert passages.shape == (20, 32)
    assert passages.dtype == torch.int32
    whole = text.read_text()
    for row in passages:
        assert tokenizer.decode(row) in whole
    assert len({tuple(row) for row in passages.tolist()}) == 20


def test_the_seed_chooses_the_passages(text: Path, tokenizer: Any) -> None:
    first, again, other = (
        passages_of_file(text, tokenizer, sequences=8, length=32, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_too_short_a_text_is_refused(text: Path, tokenizer: Any) -> None:
    with pytest.raises(GoodhartError, match=r"text\.txt has \d+ tokens, enough for \d+ passages"):
        passages_of_file(text, tokenizer, sequences=10_000, length=32, seed=0)


def test_a_text_that_cannot_be_read_is_named(tmp_path: Path, tokenizer: Any) -> None:
    (tmp_path / "latin").write_bytes("café".encode("latin-1"))
    for name in ("latin", "absent"):
        with pytest.raises(GoodhartError, match=f"{name} cannot be read as UTF-8 text"):
            passages_of_file(tmp_path / name, tokenizer, sequences=1, length=2, seed=0)


class Stream:
    """Stands for a streamed data set of `count` documents."""

    def __init__(self, count: int) -> None:
        self.count = count

    def shuffle(self, **options: int) -> Iterator[dict[str, str]]:
        return ({"text": f"Document {i} of the data set."} for i in range(self.count))


def serve_dataset(monkeypatch: pytest.MonkeyPatch, count: int) -> list[tuple[Any, ...]]:
    asked: list[tuple[Any, ...]] = []

    def load_dataset(*args: Any, **kwargs: Any) -> Stream:
        asked.append((*args, kwargs["revision"], kwargs["split"], kwargs["streaming"]))
        return Stream(count)

    library = SimpleNamespace(load_dataset=load_dataset)
    monkeypatch.setattr(importlib, "import_module", lambda name: library)
    return asked


def test_a_data_set_is_streamed(monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> None:
    asked = serve_dataset(monkeypatch, count=100)
    tokens = passages_of_dataset(
        "allenai/c4#en", REVISION, tokenizer, sequences=4, length=32, seed=0
    )
    assert asked == [("allenai/c4", "en", REVISION, "train", True)]
    assert tokens.shape == (4, 32)
    assert tokenizer.decode(tokens[0]).startswith("Document 0 of the data set.<|im_end|>Document 1")


def test_a_data_set_that_ends_early_is_refused(
    monkeypatch: pytest.MonkeyPatch, tokenizer: Any
) -> None:
    serve_dataset(monkeypatch, count=2)
    with pytest.raises(GoodhartError, match=r"hf:a/b ends after \d+ tokens"):
        passages_of_dataset("a/b", REVISION, tokenizer, sequences=40, length=32, seed=0)


def test_a_data_set_is_pinned_and_nothing_else() -> None:
    assert CalibrationSettings(source="hf:a/b", revision=REVISION).revision == REVISION
    with pytest.raises(ValidationError, match="must be pinned; add `revision`"):
        CalibrationSettings(source="hf:a/b")
    with pytest.raises(ValidationError, match="only an hf: source has a `revision`"):
        CalibrationSettings(source="file:text.txt", revision=REVISION)
    with pytest.raises(ValidationError, match="String should match pattern"):
        CalibrationSettings(source="hf:a/b", revision="main")


def test_the_pinned_revision_is_what_is_streamed(
    monkeypatch: pytest.MonkeyPatch, tokenizer: Any
) -> None:
    asked = serve_dataset(monkeypatch, count=100)
    settings = CalibrationSettings(
        source="hf:a/b", revision=REVISION, sequences=4, sequence_length=32
    )
    assert make_tokens(settings, tokenizer, Path("config.json"), []).shape == (4, 32)
    assert asked == [("a/b", None, REVISION, "train", True)]


def test_without_the_library_the_remedy_is_named(
    monkeypatch: pytest.MonkeyPatch, tokenizer: Any
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(GoodhartError, match="run `make hub`"):
        passages_of_dataset("a/b", REVISION, tokenizer, sequences=1, length=2, seed=0)


@pytest.mark.parametrize("source", ["self", "file:text.txt"])
def test_tokens_are_split_and_their_counts_recorded(
    source: str, text: Path, bases: Folders, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(text.parent)
    settings = CalibrationSettings(source=source, sequences=10, sequence_length=64, held_out=0.2)
    base = bases("llama")
    shards = sorted(base.glob("*.safetensors"))
    tokens = make_tokens(settings, tokenizer, base / "config.json", shards)
    write_tokens(tokens, settings, Path("tokens.safetensors"))
    parts = load_file("tokens.safetensors")
    assert parts["train"].shape == (8, 64)
    assert parts["held_out"].shape == (2, 64)
    assert torch.equal(torch.cat([parts["train"], parts["held_out"]]), tokens)
    with safe_open("tokens.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert metadata["source"] == source.partition(":")[0]
    assert (metadata["train_tokens"], metadata["held_out_tokens"]) == ("512", "128")


def test_where_a_text_lies_is_not_in_the_file(tmp_path: Path) -> None:
    written = []
    for place in ("here", "there"):
        settings = CalibrationSettings(source=f"file:{tmp_path}/{place}.txt", sequences=4)
        path = tmp_path / f"{place}.safetensors"
        write_tokens(torch.arange(8, dtype=torch.int32).view(4, 2), settings, path)
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_something_is_held_out_and_something_is_left() -> None:
    assert held_out_count(CalibrationSettings(sequences=4, held_out=0.01)) == 1
    with pytest.raises(GoodhartError, match=r"held_out = 0\.9: leaves none of 2 sequences"):
        held_out_count(CalibrationSettings(sequences=2, held_out=0.9))
