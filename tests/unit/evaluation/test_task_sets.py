import json
from pathlib import Path

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.task_sets import read_task_set
from tests.unit.evaluation.conftest import ROOT


def write(folder: Path, rows: list[dict[str, object]], keys: str = "") -> Path:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "set.yaml"
    path.write_text(f"description: Imported.\nimport:\n  file: rows.jsonl\n{keys}")
    return path


def test_extended_set() -> None:
    tasks = read_task_set(ROOT / "config/tasks/extended.yaml")
    assert len(tasks) >= 100
    assert len({task.category for task in tasks}) >= 12


def test_import(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        [
            {"question": "What is 20 + 22?", "answer": "20 + 22 = 42\n#### 42"},
            {"id": "noon", "question": "When is noon?", "answer": "12 PM", "category": "time"},
            {"question": "Cost?", "answer": "$1,200"},
        ],
    )
    first, second, third = read_task_set(path)
    assert (first.id, first.answer.value) == ("rows-1", 42)  # type: ignore[union-attr]
    assert first.execution_prompt == "What is 20 + 22?"
    assert "step by step" in first.explanation_prompt
    assert (second.id, second.category, second.answer.kind) == ("noon", "time", "time")
    assert third.answer.value == 1200  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rows", "keys", "message"),
    [
        ([{"question": "?", "answer": "maybe"}], "", "line 1: answer 'maybe' is neither"),
        ([{"q": "?", "answer": "1"}], "", "line 1 has no key 'question'"),
        ([{"id": "a", "question": "?", "answer": "1"}] * 2, "", "more than one task has the id a"),
        ([{"question": "?", "answer": "1"}], "  fiel: x\n", "fiel"),
    ],
)
def test_bad_import(tmp_path: Path, rows: list[dict[str, object]], keys: str, message: str) -> None:
    with pytest.raises(GoodhartError, match=message):
        read_task_set(write(tmp_path, rows, keys))


def test_bad_generation(tmp_path: Path) -> None:
    path = tmp_path / "set.yaml"
    path.write_text("description: x\ngenerate: {templates: [juggling]}\n")
    with pytest.raises(GoodhartError, match="'juggling': there is no such template"):
        read_task_set(path)
    path.write_text("description: x\n")
    with pytest.raises(GoodhartError, match="the set has no tasks"):
        read_task_set(path)
