import numpy as np
import pytest
from scipy.stats import norm

from goodhart_gap.analysis.estimands import estimand_named, pair_conditions
from goodhart_gap.analysis.power import Components, estimate_components, power_table, simulate_power
from goodhart_gap.analysis.settings import Design
from tests.unit.analysis.workshop import QUICK, evaluation, facts_about, random_outcomes, table_of

OPTIONS = {"alpha": 0.05, "margin": 0.05, "simulations": 1200, "seed": 1}


def drawn(within, across, tasks=600, runs=4, mean=0.6):
    """Outcomes of two conditions from the probit-normal model itself."""
    random = np.random.default_rng(11)
    shared = random.standard_normal(tasks)
    own = random.standard_normal((2, tasks))
    ratio = across / within
    rows = []
    for index, condition in enumerate(("baseline", "uniform")):
        effect = np.sqrt(within) * (np.sqrt(ratio) * shared + np.sqrt(1 - ratio) * own[index])
        chance = norm.cdf((norm.ppf(mean) + effect) / np.sqrt(1 - within))
        hits = random.random((tasks, runs)) < chance[:, None]
        rows += [
            evaluation(
                f"t{task}", condition, understands=bool(hits[task, run]), executes=True, run=run
            )
            for task in range(tasks)
            for run in range(runs)
        ]
    table = table_of(rows)
    return pair_conditions(
        table[table["condition"] == "uniform"], table[table["condition"] == "baseline"]
    )


def test_components_are_recovered():
    found = estimate_components(drawn(within=0.7, across=0.5), estimand_named("understands"))
    assert found.mean == pytest.approx(0.6, abs=0.04)
    assert found.within == pytest.approx(0.7, abs=0.06)
    assert found.across == pytest.approx(0.5, abs=0.08)


def test_nothing_is_estimated_from_few_tasks_or_a_constant_rate():
    few = random_outcomes(tasks=5)
    table = power_table(few, facts_about(few), QUICK)
    assert set(table["note"]) == {"n/a (nothing varies, or too few tasks)"}
    constant = table_of(
        evaluation(f"t{task}", condition, understands=True, executes=task % 2 == 0)
        for task in range(30)
        for condition in ("baseline", "uniform")
    )
    table = power_table(constant, facts_about(constant), QUICK).set_index("estimand")
    assert table.loc["understands", "note"].startswith("n/a")


def test_without_a_change_the_test_errs_as_often_as_it_may():
    components = Components(mean=0.6, within=0.6, across=0.5, task_share=1.0, tasks=50)
    false_alarms, _ = simulate_power(components, Design(tasks=100, runs=5), 0.0, **OPTIONS)
    assert false_alarms == pytest.approx(0.05, abs=0.015)


def test_power_grows_with_tasks_and_with_the_change():
    components = Components(mean=0.6, within=0.7, across=0.6, task_share=1.0, tasks=50)

    def power(tasks, change):
        return simulate_power(components, Design(tasks=tasks, runs=5), change, **OPTIONS)[0]

    assert power(20, 0.05) < power(60, 0.05) < power(200, 0.05)
    assert power(100, 0.03) < power(100, 0.05)


def test_new_tasks_tell_more_than_new_runs():
    components = Components(mean=0.6, within=0.8, across=0.6, task_share=1.0, tasks=50)
    many_tasks, _ = simulate_power(components, Design(tasks=500, runs=1), 0.05, **OPTIONS)
    many_runs, _ = simulate_power(components, Design(tasks=20, runs=25), 0.05, **OPTIONS)
    assert many_tasks > many_runs + 0.1


def test_the_curve_agrees_with_the_simulated_designs():
    outcomes = random_outcomes(tasks=60)
    settings = QUICK.model_copy(update={"power_simulations": 600})
    table = power_table(outcomes, facts_about(outcomes), settings)
    rows = table[(table["tasks"] == 100) & (table["runs"] == 1) & (table["change"] == 0.05)]
    by_kind = rows.pivot_table(index=["condition", "estimand"], columns="kind", values="power")
    assert len(by_kind) == 6
    assert (by_kind["curve"] - by_kind["simulated"]).abs().max() < 0.08


def test_simulation_is_repeatable():
    components = Components(mean=0.6, within=0.6, across=0.5, task_share=0.8, tasks=50)
    design = Design(tasks=40, runs=2)
    assert simulate_power(components, design, 0.05, **OPTIONS) == simulate_power(
        components, design, 0.05, **OPTIONS
    )
