import numpy as np
import pytest

from goodhart_gap.analysis.seeds import seed_table, seed_variance_table
from tests.unit.analysis.workshop import evaluation, table_of


def families(seeds, tasks=60, runs=4, effect=0.0, seed=3):
    """Outcomes of several families; a seed moves every task's chance by a normal of sd `effect`."""
    random = np.random.default_rng(seed)
    chances = random.beta(2, 2, tasks)
    rows = []
    for family in range(seeds):
        shift = effect * random.standard_normal()
        for task, chance in enumerate(chances):
            for run in range(runs):
                understands = random.random() < chance + shift
                rows.append(
                    evaluation(
                        f"t{task}",
                        "baseline",
                        understands=bool(understands),
                        executes=bool(random.random() < 0.5),
                        run=run,
                        seed=family,
                    )
                )
    return table_of(rows)


def of(table, rate="understands"):
    return seed_variance_table(table, ["baseline"]).set_index("rate").loc[rate]


def test_families_have_their_own_rates():
    rows = [
        evaluation("a", "baseline", understands=seed == 1, executes=True, seed=seed)
        for seed in (1, 2)
    ]
    table = seed_table(table_of(rows), ["baseline"]).set_index(["seed", "rate"])
    assert table.loc[(1, "dbdk"), "estimate"] == 0
    assert table.loc[(2, "dbdk"), "estimate"] == 1
    assert table.loc[(2, "gap_rate"), "note"] == "n/a (no understood task)"


@pytest.mark.parametrize("rate", ["understands", "dbdk"])
def test_runs_explain_families_that_differ_by_nothing_else(rate):
    row = of(families(12), rate)
    assert row["seeds"] == 12
    assert row["deviation_of_runs"] == pytest.approx(row["deviation"], rel=0.5)
    assert row["p_value"] > 0.01


def test_the_deviation_of_runs_is_that_of_the_binomial():
    """Of a single chance: with p = 1/2 and n evaluations the deviation is sqrt(p (1 - p) / n)."""
    random = np.random.default_rng(0)
    rows = [
        evaluation(
            "t", "baseline", understands=bool(random.random() < 0.5), executes=True, run=run, seed=s
        )
        for s in range(6)
        for run in range(400)
    ]
    assert of(table_of(rows))["deviation_of_runs"] == pytest.approx(np.sqrt(0.25 / 400), rel=0.02)


def test_what_a_seed_adds_is_found():
    row = of(families(12, effect=0.1))
    assert row["deviation_of_seeds"] == pytest.approx(0.1, rel=0.5)
    assert row["p_value"] < 0.001
    assert row["low"] <= row["mean"] <= row["high"]


def test_what_cannot_be_told_has_a_note():
    assert of(families(1))["note"] == "n/a (one seed family)"
    single = of(families(3, runs=1))
    assert single["note"] == "n/a (one run)"
    assert np.isfinite(single["deviation"])
    assert np.isnan(single["deviation_of_runs"])
