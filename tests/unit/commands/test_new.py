"""`goodhart-gap new`: entries the configuration accepts; files untouched where it does not."""

import json
import re
from pathlib import Path

import pytest

from goodhart_gap.config.files import read_config
from goodhart_gap.evaluation.task_sets import read_task_set


@pytest.fixture
def untouched(clone: Path):
    """Says whether the configuration is as it was."""
    before = {path: path.read_bytes() for path in clone.rglob("*") if path.is_file()}

    def check() -> bool:
        return before == {path: path.read_bytes() for path in clone.rglob("*") if path.is_file()}

    return check


def test_a_condition(clone, tool):
    before = Path("config/conditions.yaml").read_text()
    result = tool("new", "condition", "tight", "--bits", "3", "--rank", "32", "--protect-last", "2")
    assert result.status == 0
    made = read_config().conditions["tight"]
    assert (made.compress.bits, made.compress.rank, made.protect.last) == (3, 32, 2)
    assert Path("config/conditions.yaml").read_text().startswith(before)
    first, last = map(int, re.search(r"lines (\d+) to (\d+)", result.out).groups())
    lines = Path("config/conditions.yaml").read_text().splitlines()[first - 1 : last]
    assert lines[0] == "  tight:"
    assert lines[-1] == "      last: 2"
    assert "snakemake --cores all results/models/smollm2-135m/tight/fidelity.csv" in result.out
    assert "goodhart-gap chat tight" in result.out
    assert tool("new", "condition", "looser", "--reuse", "tight").status == 0
    assert read_config().conditions["looser"].reuse == "tight"
    assert tool("new", "condition", "plain", "--method", "rtn", "--bits", "8").status == 0


def test_a_condition_in_a_file_of_its_own(clone, tool):
    assert tool("new", "condition", "mine", "--file", "mine.yaml").status == 0
    assert "mine" not in read_config().conditions
    assert "mine" in read_config([Path("mine.yaml")]).conditions
    taken = tool("new", "condition", "mine", "--file", "mine.yaml").status
    assert taken == "error: mine: there is one of this name already; choose another name."


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["condition", "uniform-3bit"],
            "uniform-3bit: there is one of this name already; choose another name.",
        ),
        (
            ["condition", "last-of-3bit-4"],
            "last-of-3bit-4: there is one of this name already; choose another name.",
        ),
        (
            ["condition", "x", "--bits", "5"],
            "config/conditions.yaml: conditions.x.compress.bits = 5: must be 2, 3, 4 or 8; "
            "correct this value.",
        ),
        (
            ["condition", "x", "--reuse", "uniform-4bits"],
            "config/conditions.yaml: conditions.x.reuse = 'uniform-4bits': unknown condition; add "
            "it to conditions (did you mean 'uniform-4bit'?).",
        ),
        (
            ["model", "x", "--source", "hf:o/n", "--blocks", "3"],
            "config/models.yaml: models.x.source = 'hf:o/n': a source of this kind must be pinned; "
            "add `revision`.",
        ),
        (
            ["model", "x", "--source", "hf:o/n"],
            "hf:o/n: how many blocks the model has is not known before it is fetched; give "
            "--blocks (num_hidden_layers in its config.json).",
        ),
        (
            ["model", "x", "--source", "file:nowhere"],
            "nowhere/config.json: there is no such file; name a transformers checkpoint.",
        ),
        (
            ["task", "tip_split", "--set", "original-20"],
            "tip_split: there is one of this name already; choose another name.",
        ),
        (
            ["task", "x", "--category", "Not This"],
            "config/tasks/own.yaml: task 'x'.category: String should match pattern "
            "'^[a-z0-9_]+$'; correct the task file.",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_changes_no_file(untouched, tool, words, sentence):
    assert tool("new", *words).status == f"error: {sentence}"
    assert untouched()


def test_a_model_whose_blocks_are_counted(clone, tool):
    folder = clone / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"num_hidden_layers": 7}))
    result = tool("new", "model", "mine", "--source", "file:checkpoint", "--blocks-per-shard", "2")
    assert result.status == 0
    made = read_config().models["mine"]
    assert (made.source, made.blocks, made.blocks_per_shard) == ("file:checkpoint", 7, 2)
    assert "snakemake --cores all results/models/mine/base/fingerprint.json" in result.out


def test_a_task_in_a_new_set_then_in_that_set(clone, tool):
    result = tool("new", "task", "bread_rolls")
    assert result.status == 0
    assert "set `tasks: own` in one" in result.out
    assert tool("new", "task", "eggs", "--category", "cooking").status == 0
    first, second = read_task_set(Path("config/tasks/own.yaml"))
    assert (first.id, second.id, second.category) == ("bread_rolls", "eggs", "cooking")
    assert len(first.rubric.concepts) == 2


def test_a_task_in_a_set_that_experiments_ask(clone, tool):
    before = Path("config/tasks/original-20.yaml").read_text()
    result = tool("new", "task", "bread_rolls", "--set", "original-20")
    assert "it is asked in" in result.out
    assert "smollm2-n100" in result.out
    assert Path("config/tasks/original-20.yaml").read_text().startswith(before)
    assert len(read_task_set(Path("config/tasks/original-20.yaml"))) == 21


def test_a_generated_set_gets_tasks_of_its_own_besides(clone, tool):
    assert tool("new", "task", "bread_rolls", "--set", "extended").status == 0
    assert read_task_set(Path("config/tasks/extended.yaml"))[0].id == "bread_rolls"
