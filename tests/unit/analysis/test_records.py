import json

import pytest

from goodhart_gap.analysis.answer_classes import classify_answer
from goodhart_gap.analysis.outcomes import read_outcomes
from goodhart_gap.analysis.records import (
    facts_from_published,
    outcomes_of_run,
    read_facts,
    read_task_values,
    write_facts,
)
from goodhart_gap.analysis.tables import count_table, rate_table
from goodhart_gap.errors import GoodhartError
from tests.unit.analysis.workshop import PUBLISHED, RECORDS, ROOT, write_record_outcomes

CONDITIONS = ["baseline", "uniform", "selective"]
RATES = {
    ("baseline", "dbdk"): (24, 67),
    ("uniform", "dbdk"): (24, 68),
    ("selective", "dbdk"): (24, 62),
    ("baseline", "gap_rate"): (27, 70),
    ("uniform", "gap_rate"): (23, 67),
    ("selective", "gap_rate"): (29, 67),
}


@pytest.fixture(scope="module")
def published_outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outcomes")
    return read_outcomes(write_record_outcomes(RECORDS / "published-n100.csv", folder, 5))


def test_facts_reproduce_the_published_rates(published_outcomes):
    table = rate_table(published_outcomes, CONDITIONS, 0.95).set_index(["condition", "rate"])
    for key, counts in RATES.items():
        assert tuple(table.loc[key, ["numerator", "denominator"]]) == counts


def test_facts_reproduce_the_published_tasks(published_outcomes):
    table = count_table(published_outcomes, CONDITIONS, ["category", "task"])
    unexplained = table.set_index(["task", "condition"])["DK"]
    for task, counts in {
        "transitive_order": (5, 5, 5),
        "reverse_percentage": (5, 5, 5),
        "ranking_update": (5, 5, 5),
        "timezone_convert": (0, 2, 3),
        "profit_margin": (4, 4, 3),
        "recipe_scale": (1, 0, 0),
    }.items():
        assert tuple(unexplained[task][condition] for condition in CONDITIONS) == counts


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"no published files in {PUBLISHED}")
@pytest.mark.parametrize(
    ("record", "folder", "files"),
    [
        ("published-n100", "n100", {name: name for name in CONDITIONS}),
        ("published-n20", "n20", {name: name for name in CONDITIONS}),
        (
            "published-layers",
            "layer_sweep_72b",
            {
                "baseline": "baseline",
                "uniform": "compressed",
                "protect-70": "selective",
                "protect-75": "protect75",
                "protect-77": "protect77",
                "protect-79": "protect79",
            },
        ),
        (
            "published-7b",
            "qwen2_7b",
            {
                "uniform-3bit": "3bit_uniform",
                "ultra-3bit": "3bit_ultra",
                "uniform-4bit": "4bit_uniform",
                "ultra-4bit": "4bit_ultra",
            },
        ),
    ],
)
def test_facts_are_those_of_the_published_files(record, folder, files):
    tasks = read_task_values(ROOT / "config/tasks/original-20.yaml")
    expected = []
    for condition, file in files.items():
        path = PUBLISHED / folder / f"{file}.json"
        expected += facts_from_published(path.read_text(), condition, tasks, file)
    assert read_facts(RECORDS / f"{record}.csv") == expected


def test_every_fact_reaches_an_outcome():
    facts = read_facts(RECORDS / "published-n20.csv")
    record = outcomes_of_run(facts, experiment="e", model="m", condition="uniform", seed=42, run=0)
    assert len(record["outcomes"]) == 20
    row = next(row for row in record["outcomes"] if row["task"] == "profit_margin")
    assert (row["quadrant"], row["answer"]["status"]) == ("DK", "correct")
    assert row["explanation_truncated"] is None


@pytest.mark.parametrize(
    ("extracted", "expected", "answer_class"),
    [
        ("15", "15", "correct"),
        ("$15.00", "15", "correct"),
        ("Alice, Bob, Carol, David.", "Alice, Bob, Carol, David", "correct"),
        ("12:30 pm", "12:30 PM", "correct"),
        ("12:00 PM", "12 PM", "correct"),
        ("6\n\nIf a recipe that serves 4 uses 2 cups", "6", "correct"),
        ("Alice", "Alice, Bob, Carol, David", "fragment"),
        ("David, Bob", "Alice, Bob, Carol, David", "fragment"),
        ("", "12 PM", "empty"),
        ("  \n", "12 PM", "empty"),
        ("80.6", "79", "wrong"),
        ("9:00 AM", "12 PM", "operand"),
        ("20", "15", "intermediate"),
        ("The record does not allow for a definitive answer, but Dan won", "Dan", "refusal"),
        ("Let's break down the tasks:\n\n- A ends at 11 AM, so C ends at 12 PM", "12 PM", "prose"),
    ],
)
def test_answers_are_classified(extracted, expected, answer_class):
    assert (
        classify_answer(extracted, expected, operands=["9 AM"], intermediates=["20"])
        == answer_class
    )


def published(**changes):
    result = {
        "id": "unit_chain_run3",
        "category": "units",
        "understands": True,
        "executes_correctly": False,
        "extracted_answer": "8.7",
        "correct_answer": "6.3",
    }
    return json.dumps({"results": [result | changes]})


def test_a_published_result_becomes_a_fact():
    (fact,) = facts_from_published(published(), "uniform", {}, "f.json")
    assert fact == {
        "task": "unit_chain",
        "category": "units",
        "run": 3,
        "condition": "uniform",
        "understands": 1,
        "executes": 0,
        "answer_class": "wrong",
        "explanation_characters": None,
    }


def test_another_kind_of_file_is_refused():
    with pytest.raises(GoodhartError, match=r"f\.json: not a published result file"):
        facts_from_published('{"rows": []}', "uniform", {}, "f.json")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("understands", "yes", "understands is 'yes'; write 0 or 1"),
        ("run", "first", "run is 'first'; write a whole number"),
        ("answer_class", "nice", "answer_class is 'nice'"),
    ],
)
def test_a_wrong_fact_is_refused_with_its_line(tmp_path, column, value, words):
    facts = facts_from_published(published(), "uniform", {}, "f.json")
    write_facts(tmp_path / "facts.csv", [facts[0] | {column: value}])
    with pytest.raises(GoodhartError, match=f"line 2: {words}"):
        read_facts(tmp_path / "facts.csv")


def test_a_repeated_fact_is_refused(tmp_path):
    facts = facts_from_published(published(), "uniform", {}, "f.json")
    write_facts(tmp_path / "facts.csv", facts * 2)
    with pytest.raises(GoodhartError, match=r"'unit_chain'.* stands twice"):
        read_facts(tmp_path / "facts.csv")


def test_a_run_that_was_not_recorded_is_refused():
    facts = read_facts(RECORDS / "published-n20.csv")
    with pytest.raises(GoodhartError, match="condition 'uniform' has no run 1"):
        outcomes_of_run(facts, experiment="e", model="m", condition="uniform", seed=1, run=1)
