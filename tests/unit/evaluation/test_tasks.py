import json
import subprocess
import sys
from pathlib import Path

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.grading import score_run
from goodhart_gap.evaluation.grading_settings import GradingSettings
from goodhart_gap.evaluation.task_sets import read_task_set
from goodhart_gap.evaluation.tasks import (
    Task,
    frozen_rows,
    prompt_rows,
    read_frozen,
)
from goodhart_gap.files import write_jsonl
from tests.unit.evaluation.conftest import ROOT

ORIGINAL = ROOT / "config/tasks/original-20.yaml"


def response(task: str, role: str, text: str, run: int = 0) -> dict[str, object]:
    shared = {"experiment": "e", "model": "m", "condition": "c", "seed": 1, "run": run}
    facts = {"n_tokens": len(text.split()), "stop_reason": "eos", "truncated": False}
    return shared | {"task": task, "role": role, "prompt": "?", "text": text} | facts


def test_frozen_tasks_round_trip(tmp_path: Path) -> None:
    tasks = read_task_set(ORIGINAL)
    assert len(tasks) == 20
    write_jsonl(tmp_path / "tasks.jsonl", frozen_rows(tasks))
    assert tuple(read_frozen(tmp_path / "tasks.jsonl").values()) == tasks


def test_edited_frozen_tasks_are_refused(tmp_path: Path) -> None:
    rows = frozen_rows(read_task_set(ORIGINAL))
    rows[3]["answer"]["value"] = 81
    write_jsonl(tmp_path / "tasks.jsonl", rows)
    with pytest.raises(GoodhartError, match="task 'reverse_percentage' differs from its sha256"):
        read_frozen(tmp_path / "tasks.jsonl")


def test_a_rubric_is_no_part_of_the_prompts() -> None:
    tasks = read_task_set(ORIGINAL)
    bare = [task.model_copy(update={"rubric": None}) for task in tasks]
    assert prompt_rows(bare) == prompt_rows(tasks)
    assert [task.sha256() for task in bare] != [task.sha256() for task in tasks]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: number, value: 15", "kind: number, valeu: 15", "task 'discount_coupon'.*value"),
        ("id: loan_payment", "id: tip_split", "more than one task has the id tip_split"),
        ("after: [percentage of the price]", "after: [nothing]", "comes after unknown"),
        ('value: "4:15 PM"', 'value: "16:15"', "task 'time_duration'.*answer.time.value"),
        ("difficulty: easy", "difficulty: trivial", "task 'discount_coupon'.*difficulty"),
        ("<multiply> & 0.8|0.2", "<juggle> & 0.8|0.2", "no word list <juggle>"),
    ],
)
def test_a_bad_task_is_one_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = ORIGINAL.read_text()
    assert old in text
    path = tmp_path / "tasks.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(GoodhartError, match=message):
        read_task_set(path)


def test_a_run_is_scored(original: dict[str, Task]) -> None:
    task = original["tip_split"]
    assert task.rubric is not None
    rows = [
        response("tip_split", "execution", "Answer: 36"),
        response("tip_split", "explanation", task.rubric.reference),
        response("tip_split", "execution", "Answer: 30", run=1),
        response("tip_split", "explanation", "I do not know.", run=1),
    ]
    first = score_run(rows, {"tip_split": task}, 0, GradingSettings())
    second = score_run(rows, {"tip_split": task}, 1, GradingSettings())
    assert (first["run"], first["outcomes"][0]["quadrant"]) == (0, "KD")
    assert (second["run"], second["outcomes"][0]["quadrant"]) == (1, "NN")
    assert second["outcomes"][0]["answer"] == {
        "status": "wrong",
        "value": "30",
        "expected": "36 dollar",
    }
    assert second["outcomes"][0]["explanation"]["status"] == "refused"
    with pytest.raises(GoodhartError, match="run 0 of task 'tip_split' has no explanation"):
        score_run(rows[:1], {"tip_split": task}, 0, GradingSettings())


def test_grading_never_imports_torch() -> None:
    code = (
        "import sys, goodhart_gap.evaluation.grading, goodhart_gap.evaluation.validation; "
        "import json; print(json.dumps([m for m in ('torch', 'transformers') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
