"""A sweep over finished shards compresses nothing, and its documents come out of the graph."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workshop import Workshop

pytestmark = pytest.mark.workflow

FAMILIES = {
    "last": {"reuse": "uniform", "protect": {"last": [1, 2]}},
    "window": {"reuse": "uniform", "protect": {"window": {"length": 2, "starts": [0]}}},
    "alone": {"reuse": "uniform", "only": [1]},
}


def configure(workshop: Workshop) -> None:
    """One sweep of each kind on the tiny model."""
    conditions: dict[str, Any] = workshop.config["conditions"]
    conditions["rough"] = {"compress": {"method": "rtn", "bits": 2, "group_size": 16}}
    conditions["rough"]["minimum_correlation"] = 0
    conditions["spared"] = {"reuse": "rough", "protect": {"last": 1}, "minimum_correlation": 0}
    conditions["mixed"] = {"reuse": {"rough": [0], "uniform": "rest"}, "minimum_correlation": 0}
    workshop.config["condition_families"] = FAMILIES
    pattern = workshop.experiment | {"runs_per_job": 2, "pilot": "published-layers"}
    pattern["sampling"] = {"max_new_tokens": 8}
    workshop.config["experiments"] |= {
        "blocks": pattern | {"conditions": ["baseline", "uniform", "last", "window"]},
        "widths": pattern | {"conditions": ["baseline", "rough", "mixed", "spared"]},
        "profile": pattern | {"conditions": ["baseline", "uniform", "alone"]},
    }
    workshop.config["sweeps"] = {
        "ablation": ["blocks"],
        "bits": ["widths"],
        "sensitivity": ["profile"],
    }


@pytest.fixture(scope="module")
def workshop(finished_session: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A copy of the finished workshop, with sweeps over its model."""
    made = finished_session.copied_to(tmp_path_factory.mktemp("sweeps") / "workshop")
    configure(made)
    made.run("--", "results/models/tiny/uniform/fidelity.csv")
    return made


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_family_over_finished_shards_compresses_nothing(workshop: Workshop) -> None:
    planned = workshop.planned("--", "ablation", "sensitivity")
    assert "compress_shard" not in planned
    assert "accumulate_hessians" not in planned
    assert planned["assemble_reuse"] == planned["allocate_reuse"] == 4
    # Mixed bits need the one other condition, and nothing else: two shards of two blocks.
    assert workshop.planned("--", "bits")["compress_shard"] == 2


def inputs_of_sampling(workshop: Workshop, condition: str) -> set[str]:
    """The block shards that the sampling job of a condition declares."""
    options = workshop.command("--", f"results/blocks/responses/{condition}/seed42/runs0-1.jsonl")
    options = options[options.index("--cores") :]
    described = subprocess.run(
        [sys.executable, "scripts/graph.py", "describe", "graph.json", *options],
        cwd=workshop.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert described.returncode == 0, described.stderr
    jobs = json.loads((workshop.folder / "graph.json").read_text())["jobs"]
    (job,) = (job for job in jobs if job["rule"] == "sample_responses")
    shards = (path for path in job["inputs"] if "/blocks0" in path)
    return {
        path.removeprefix("results/models/tiny/").removesuffix(".safetensors") for path in shards
    }


@pytest.mark.parametrize(
    ("condition", "needed"),
    [
        ("last-1", {"base/blocks002-003", "uniform/blocks000-001", "uniform/blocks002-003"}),
        ("last-2", {"base/blocks002-003", "uniform/blocks000-001"}),
        ("window-0-1", {"base/blocks000-001", "uniform/blocks002-003"}),
        ("uniform", {"uniform/blocks000-001", "uniform/blocks002-003"}),
        ("baseline", {"base/blocks000-001", "base/blocks002-003"}),
    ],
)
def test_sampling_takes_exactly_the_shards_it_needs(
    workshop: Workshop, condition: str, needed: set[str]
) -> None:
    assert inputs_of_sampling(workshop, condition) == needed


@pytest.mark.long
def test_the_documents_answer_with_intervals(workshop: Workshop) -> None:
    output = workshop.run("--", "sensitivity", "ablation", "bits")
    said = re.findall(
        r"(\w+): rests on (\d+) compressed matrices; (\d+) taken from them again, (\d+) left",
        output,
    )
    # 4 blocks of 7 matrices; 1, 2 and 2 blocks left as they are.
    assert ("blocks", "28", str(3 * 28 - 5 * 7), str(5 * 7)) in said
    results = workshop.folder / "results"
    sweep = rows(results / "blocks/tables/sweep.csv")
    by_name = {row["condition"]: row for row in sweep}
    assert float(by_name["last-1"]["kl"]) > 0
    bits_of = {name: float(row["bits_per_parameter"]) for name, row in by_name.items()}
    assert bits_of["uniform"] < bits_of["last-1"] < bits_of["last-2"] == bits_of["window-0-1"]
    ablation = (results / "blocks/ABLATION.md").read_text()
    for words in ("**last**", "**window**", "The published sweep (published-layers)", "protect-70"):
        assert words in ablation
    bits = (results / "widths/BITS.md").read_text()
    for words in ("## Controls", "Positive: rough", "selective", "Null: the baseline"):
        assert words in bits
    profile = (results / "profile/SENSITIVITY.md").read_text()
    for words in ("Shape over depth", "rank correlation", "output KL: block", "blocks: 1."):
        assert words in profile
    for text in (ablation, bits, profile):
        assert not re.search(r"\b(nan|None|inf)\b", text)
    finished = workshop.planned("--", "sensitivity", "ablation", "bits")
    assert finished == {}
