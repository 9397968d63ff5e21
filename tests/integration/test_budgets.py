"""A condition under a budget, for real on the tiny model: measured, chosen, compressed, joined."""

import csv
import json
from pathlib import Path

import pytest

from tests.integration.workshop import Workshop

pytestmark = pytest.mark.workflow

# Of a model so small most bytes are headers, which the budget counts: 14.2 bits are the least.
BITS = 15.5


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_budget_is_measured_chosen_and_kept(finished: Workshop, tmp_path: Path) -> None:
    folder = tmp_path / "workshop"
    workshop = finished.copied_to(folder)
    workshop.config["conditions"] |= {
        "eight": {"compress": {"bits": 8, "group_size": 32, "rank": 0}},
        "budget": {"budget": {"bits_per_parameter": BITS, "choices": ["uniform", "eight", "base"]}},
    }
    workshop.experiment["conditions"] += ["budget"]
    models = folder / "results/models/tiny"
    target = "results/models/tiny/budget/fidelity.csv"
    planned = workshop.planned(target)
    assert planned == {
        "allocate": 1,
        "compress_shard": 4,
        "measure_sensitivity": 1,
        "allocate_budget": 1,
        "assemble": 1,
    }
    workshop.run("--", target)

    sensitivity = rows_of(models / "sensitivity.csv")
    assert {(row["block"], row["condition"]) for row in sensitivity} == {
        (str(block), condition) for block in range(4) for condition in ("uniform", "eight")
    }
    allocation = json.loads((models / "budget/allocation.json").read_text(encoding="utf-8"))
    why = rows_of(models / "budget/allocation.csv")
    assert [row["block"] for row in why] == ["0", "1", "2", "3"]
    on_disk = sum(path.stat().st_size for path in (models / "budget").glob("blocks*.safetensors"))
    assert on_disk <= allocation["predicted_bytes"] <= allocation["budget_bytes"]
    # Weights are predicted to the byte, headers from above: here they are a large share.
    assert on_disk == pytest.approx(allocation["predicted_bytes"], rel=0.01, abs=4 * 600)

    chosen = {int(row["block"]): row["choice"] for row in why}
    for row in rows_of(models / "budget/fidelity.csv"):
        bits = {"uniform": "4", "eight": "8", "base": ""}[chosen[int(row["block"])]]
        assert row["bits"] == bits
    for name in ("sensitivity.csv", "budget/allocation.csv", "budget/allocation.json"):
        assert (models / f"{name}.prov.json").exists()

    assert workshop.planned(target) == {}
    workshop.config["conditions"]["budget"]["budget"]["bits_per_parameter"] = 5.0
    assert set(workshop.planned(target)) == {"allocate_budget", "compress_shard", "assemble"}
