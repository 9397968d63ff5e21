"""`goodhart-gap bisect`: it asks for what the search needs, and leaves a table with a manifest."""

import json
from pathlib import Path
from typing import Any

import pytest

from goodhart_gap import bisect as module
from goodhart_gap.analysis.csv_tables import read_rows
from goodhart_gap.config.load import load_config
from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.graph import Graph

TASKS = 40


def raw() -> dict[str, Any]:
    live = {"source": "live", "model": "tiny", "tasks": "tasks/any", "baseline": "baseline"}
    live |= {"runs": 2, "statistics": {"equivalence_margin": 0.3}}
    return {
        "build": ["sweep"],
        "models": {"tiny": {"source": "file:x", "blocks": 16}},
        "conditions": {"baseline": {}, "three": {"compress": {"bits": 3}}},
        "condition_families": {
            "single": {"reuse": "three", "protect": {"block": [1, 2]}},
            "last": {"reuse": "three", "protect": {"last": [*range(1, 17)]}},
        },
        "experiments": {
            "sweep": live | {"conditions": ["baseline", "single", "last"]},
            "plain": live | {"conditions": ["baseline", "three"]},
        },
    }


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[Path]]:
    """What Snakemake is asked for; sets of at least 6 blocks keep execution."""
    monkeypatch.chdir(tmp_path)
    Path("tasks").mkdir()
    Path("tasks/any").touch()
    made: list[list[Path]] = []

    def make(files: list[Path], options: list[str]) -> None:
        assert options == ["--cores", "2"]
        made.append(files)
        for path in files:
            condition = path.parts[-3]
            protected = 16 if condition == "baseline" else int(condition.removeprefix("last-"))
            write(path, condition, solved=20 if protected >= 6 else 0)

    monkeypatch.setattr(module, "make", make)
    return made


def write(path: Path, condition: str, solved: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    outcomes = [
        {
            "task": f"t{task}",
            "category": "units",
            "executes": task < solved,
            "understands": True,
            "quadrant": "KD" if task < solved else "KF",
            "answer": {"status": "correct", "value": "1", "expected": "1"},
            "explanation": {"status": "explained", "covered": [], "missing": []},
            "execution_tokens": 5,
            "explanation_tokens": 5,
            "execution_truncated": False,
            "explanation_truncated": False,
            "explanation_characters": 20,
            "template": None,
        }
        for task in range(TASKS)
    ]
    about = {"experiment": "sweep", "model": "tiny", "condition": condition, "seed": 42}
    run = int(path.stem.removeprefix("run"))
    path.write_text(json.dumps(about | {"run": run, "grader": "rubric", "outcomes": outcomes}))


def graph(options: list[str]) -> Graph:
    return Graph(jobs=[], config=raw())


def test_a_few_sets_are_asked_for_and_the_table_says_why(asked: list[list[Path]]) -> None:
    said: list[str] = []
    steps = module.bisect("sweep", None, ["--cores", "2"], said.append, graph)
    conditions = [files[0].parts[-3] for files in asked]
    assert conditions == ["baseline", "last-16", "last-8", "last-4", "last-6", "last-5"]
    assert all(len(files) == 2 for files in asked)
    assert int(steps.iloc[-1]["smallest_enough"]) == 6
    rows = read_rows(Path("results/sweep/tables/search-last.csv"))
    assert [row["protected"] for row in rows] == [16, 8, 4, 6, 5]
    assert [row["enough"] for row in rows] == [True, True, False, True, False]
    assert rows[-1]["largest_not_enough"] == 5
    assert Path("results/sweep/tables/search-last.csv.prov.json").is_file()
    assert any("5 blocks protected: execution -50.0 points" in line for line in said)


@pytest.mark.parametrize(
    ("experiment", "family", "message"),
    [
        ("nosuch", None, "experiment 'nosuch': no such live experiment; name one of sweep, plain"),
        ("plain", None, "experiment 'plain': none of its families"),
        ("sweep", "single", "--family single: no such family"),
        ("sweep", "other", "--family other: no such family .* name one of last"),
    ],
)
def test_what_cannot_be_searched(
    asked: list[list[Path]], experiment: str, family: str | None, message: str
) -> None:
    with pytest.raises(GoodhartError, match=message):
        module.bisect(experiment, family, ["--cores", "2"], print, graph)
    assert asked == []


def test_another_experiment_may_search_a_family_it_does_not_name(
    asked: list[list[Path]],
) -> None:
    config = load_config(raw())
    facts = module.search_facts(config, "plain", "last")
    assert [entry.protected for entry in facts.entries] == [*range(1, 17)]
    assert facts.margin == 0.3
