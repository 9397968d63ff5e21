"""`goodhart-gap chat`: what is looked for before anything is loaded, and how answers are shown.

tests/integration/test_command.py talks to a real checkpoint.
"""

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from goodhart_gap.commands import chat
from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation import conversation
from goodhart_gap.evaluation.conversation import OF_BASE, find_checkpoint

ANSWERS = {
    "base": {"text": " It is four.\n", "n_tokens": 4, "truncated": False},
    "uniform": {"text": "Five, because " * 20, "n_tokens": 60, "truncated": True},
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The files of a model, of a condition, and of one that reuses it and the base."""
    for name, places in {
        "uniform": ["blocks000-001.safetensors", "../base/embeddings.safetensors"],
        "reused": ["../uniform/blocks000-001.safetensors", "../base/embeddings.safetensors"],
    }.items():
        (tmp_path / name).mkdir()
        weights = {f"weight{number}": place for number, place in enumerate(places)}
        index = tmp_path / name / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": weights | {"again": places[0]}}))
    (tmp_path / "base").mkdir()
    for name in OF_BASE:
        (tmp_path / "base" / name).write_text("{}")
    shards = {"embeddings": {}, "blocks000-001": {}}
    (tmp_path / "base/fingerprint.json").write_text(json.dumps({"shards": shards}))
    for name in ("base/embeddings", "base/blocks000-001", "uniform/blocks000-001"):
        (tmp_path / f"{name}.safetensors").touch()
    return tmp_path


def test_the_files_of_a_checkpoint(model):
    base = find_checkpoint(model / "base")
    assert base.index is None
    assert base.shards == (
        model / "base/embeddings.safetensors",
        model / "base/blocks000-001.safetensors",
    )
    reused = find_checkpoint(model / "reused")
    assert reused.index == model / "reused/model.safetensors.index.json"
    assert reused.shards == (
        model / "uniform/blocks000-001.safetensors",
        model / "base/embeddings.safetensors",
    )
    (model / "theirs").mkdir()
    (model / "theirs/import.json").write_text("{}")
    assert find_checkpoint(model / "theirs").imported == model / "theirs/import.json"


@pytest.mark.parametrize(
    ("condition", "gone"),
    [
        ("base", "base/tokenizer.json"),
        ("base", "base/blocks000-001.safetensors"),
        ("uniform", "uniform/model.safetensors.index.json"),
        ("reused", "uniform/blocks000-001.safetensors"),
        ("uniform", "base/fingerprint.json"),
    ],
)
def test_what_is_not_built_is_told_with_the_command_that_builds_it(model, condition, gone):
    (model / gone).unlink()
    with pytest.raises(GoodhartError) as told:
        find_checkpoint(model / condition)
    path = model / gone
    assert str(told.value) == (
        f"{path}: is not built yet; make it with `snakemake --cores all {path}`."
    )


def test_weights_that_lie_on_s3_cannot_be_made_by_snakemake(model):
    (model / "uniform/blocks000-001.safetensors").unlink()
    with pytest.raises(GoodhartError, match="lies on s3://bucket/run and not on this disk"):
        find_checkpoint(model / "uniform", "s3://bucket/run")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["uniform-4bit"],
            "results/models/smollm2-135m/base/config.json: is not built yet; make it with "
            "`snakemake --cores all results/models/smollm2-135m/base/config.json`.",
        ),
        (
            ["baseline"],
            "baseline: leaves the model as it is, and would be compared with itself; name a "
            "condition that compresses.",
        ),
        (
            ["unifrm-4bit"],
            "unifrm-4bit: the configuration has no such condition (did you mean 'uniform-4bit'?).",
        ),
        (
            ["uniform-4bit", "--model", "qwen2-27b"],
            "qwen2-27b: the configuration has no such model (did you mean 'qwen2-72b'?).",
        ),
        (
            ["uniform-4bit", "--experiment", "published-n100"],
            "--experiment published-n100: no such live experiment; define it in experiments, or "
            "name its file with --configfile.",
        ),
    ],
)
def test_a_mistake_is_one_sentence(clone, tool, words, sentence):
    assert tool("chat", *words, "--once", "hi").status == f"error: {sentence}"


def test_answers_stand_side_by_side_on_a_terminal():
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    chat.show_answers(console, ANSWERS)
    lines = console.file.getvalue().splitlines()
    head = next(line for line in lines if "base" in line)
    start = head.index("uniform")
    assert 30 < start < 50
    assert any(
        line.startswith(" It is four.") and line[start:].startswith("Five") for line in lines
    )
    assert any("4 tokens, ended by itself" in line[:start] for line in lines)
    assert any(line[start:].startswith("60 tokens, cut at the limit") for line in lines)


def test_answers_stand_one_after_another_in_a_pipe(capsys):
    chat.show_answers(Console(file=io.StringIO()), ANSWERS)
    out = capsys.readouterr().out
    assert out.startswith("## base (4 tokens, ended by itself)\n\nIt is four.\n\n## uniform (60")


class Echo:
    """Stands for a loaded model: says what it was asked, and with which draws."""

    def __init__(self, checkpoint: object, settings: object) -> None:
        self.temperature = settings.temperature

    def answer(self, text: str, seed: int, run: int) -> dict[str, object]:
        said = f"{text} {seed} {run} {self.temperature}"
        return {"text": said, "n_tokens": 1, "truncated": False}


def test_prompts_come_from_a_pipe_and_the_same_again_is_drawn_anew(clone, tool, monkeypatch):
    monkeypatch.setattr(conversation, "Speaker", Echo)
    monkeypatch.setattr(conversation, "find_checkpoint", lambda folder, storage: folder)
    monkeypatch.setattr(chat, "_quieten", lambda: None)
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\n\n two \none\n"))
    out = tool("chat", "uniform-4bit").out
    said = [line for line in out.splitlines() if line and not line.startswith("##")]
    assert said == [
        text for each in ("one 42 0", "two 42 0", "one 42 1") for text in [f"{each} 0.3"] * 2
    ]
    assert "## base (" in out
    assert "## uniform-4bit (" in out
    assert "one 7 0 0.3" in tool("chat", "uniform-4bit", "--seed", "7", "--once", "one").out
