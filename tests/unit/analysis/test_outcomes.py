import json

import pandas as pd
import pytest

from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.outcomes import (
    COLUMNS,
    read_outcome_table,
    read_outcomes,
    select_conditions,
)
from goodhart_gap.errors import GoodhartError
from tests.unit.analysis.workshop import evaluation, random_outcomes, table_of


def write_run(folder, outcomes, run=0, **changes):
    record = {
        "experiment": "e",
        "model": "m",
        "condition": "baseline",
        "seed": 42,
        "run": run,
        "grader": "concepts",
        "outcomes": outcomes,
    }
    path = folder / f"run{run}-{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps(record | changes))
    return path


def outcome(task="a", **changes):
    return {
        "task": task,
        "category": "units",
        "executes": True,
        "understands": False,
        "quadrant": "DK",
        "answer": {"status": "correct", "value": "5", "expected": "5"},
        "explanation": {"status": "incomplete", "covered": [], "missing": ["step"]},
        "execution_tokens": 12,
        "explanation_tokens": 90,
        "execution_truncated": False,
        "explanation_truncated": True,
        "explanation_characters": 400,
        "template": None,
    } | changes


def test_reads_what_scoring_writes(tmp_path):
    table = read_outcomes([write_run(tmp_path, [outcome(), outcome("b", template="t")])])
    assert list(table.columns) == COLUMNS
    first, second = table.to_dict("records")
    assert (first["cluster"], second["cluster"]) == ("a", "t")
    assert first["answer_status"] == "correct"
    assert first["explanation_truncated"] == 1
    write_csv(tmp_path / "outcomes.csv", table)
    pd.testing.assert_frame_equal(
        read_outcome_table(tmp_path / "outcomes.csv")[["task", "executes", "quadrant"]],
        table[["task", "executes", "quadrant"]],
    )


def test_reads_a_record_with_nothing_but_outcomes(tmp_path):
    bare = outcome(answer=None, explanation=None, execution_tokens=None, execution_truncated=None)
    table = read_outcomes([write_run(tmp_path, [bare])])
    assert table.loc[0, "answer_status"] is None
    assert pd.isna(table.loc[0, "execution_tokens"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quadrant": "XX"}, "quadrant 'XX' is unknown"),
        ({"quadrant": "KD"}, "disagrees with its booleans"),
    ],
)
def test_refuses_a_wrong_quadrant(tmp_path, change, words):
    path = write_run(tmp_path, [outcome(**change)])
    with pytest.raises(GoodhartError, match=words):
        read_outcomes([path])


def test_refuses_the_same_evaluation_twice(tmp_path):
    paths = [write_run(tmp_path, [outcome()]), write_run(tmp_path, [outcome()])]
    with pytest.raises(GoodhartError, match=r"task 'a' of condition 'baseline'.* more than once"):
        read_outcomes(paths)


def test_refuses_a_task_of_two_categories(tmp_path):
    paths = [
        write_run(tmp_path, [outcome()]),
        write_run(tmp_path, [outcome(category="time")], run=1),
    ]
    with pytest.raises(GoodhartError, match="more than one category"):
        read_outcomes(paths)


def test_refuses_a_missing_key(tmp_path):
    broken = outcome()
    del broken["executes"]
    with pytest.raises(GoodhartError, match="'executes' is missing"):
        read_outcomes([write_run(tmp_path, [broken])])


def test_refuses_no_outcome_at_all(tmp_path):
    with pytest.raises(GoodhartError, match="no evaluation"):
        read_outcomes([write_run(tmp_path, [])])


def test_refuses_a_condition_without_outcomes():
    table = table_of([evaluation("a", "baseline", understands=True, executes=True)])
    with pytest.raises(GoodhartError, match="condition 'uniform' has no evaluation"):
        select_conditions(table, ["baseline", "uniform"])


def test_orders_conditions_as_the_config_does():
    table = select_conditions(random_outcomes(), ["selective", "baseline"])
    assert list(dict.fromkeys(table["condition"])) == ["selective", "baseline"]


def test_tables_come_back_as_plain_values(tmp_path):
    table = pd.DataFrame(
        {"a": [1, 2], "b": [0.5, float("nan")], "c": ["x, y", None], "d": [True, False]}
    )
    write_csv(tmp_path / "t.csv", table)
    assert read_rows(tmp_path / "t.csv") == [
        {"a": 1, "b": 0.5, "c": "x, y", "d": True},
        {"a": 2, "b": None, "c": None, "d": False},
    ]


def test_a_cut_table_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1\n")
    with pytest.raises(GoodhartError, match="line 2 has 1 cells, the header 2"):
        read_rows(tmp_path / "t.csv")
