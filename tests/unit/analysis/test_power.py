import numpy as np
import pytest
import yaml
from scipy.stats import norm

from goodhart_gap.analysis.analysis_document import settled_designs
from goodhart_gap.analysis.clustered import estimate_difference
from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.estimands import Pairs, estimand_named, pair_sums
from goodhart_gap.analysis.outcomes import read_outcomes
from goodhart_gap.analysis.power import SIMULATED, power_table, simulate_power
from goodhart_gap.analysis.power_model import Components, estimate_components, simulate_changes
from goodhart_gap.analysis.settings import Design, StatisticsSettings, level_for
from goodhart_gap.evaluation.task_sets import read_task_set
from tests.unit.analysis.workshop import (
    QUICK,
    RECORDS,
    ROOT,
    evaluation,
    facts_about,
    random_outcomes,
    table_of,
    write_record_outcomes,
)

OPTIONS = {"alpha": 0.05, "equivalence_alpha": 0.05, "margin": 0.05, "simulations": 1200, "seed": 1}


def paired(outcomes):
    """Pairs of uniform and baseline from (understands, executes), each [2, tasks, runs] of 0/1."""
    (u0, u1), (e0, e1) = (each.astype(float).reshape(2, -1) for each in outcomes)
    tasks, runs = outcomes[0].shape[1:]
    names = tuple(f"t{task:04d}" for task in range(tasks))
    return Pairs(u1, e1, u0, e0, np.repeat(np.arange(tasks), runs), names, unpaired=0)


def drawn(within, across, tasks=600, runs=4, seed=11):
    """Latent variables of two conditions from the probit model itself, [2, tasks, runs]."""
    random = np.random.default_rng(seed)
    shared, own = random.standard_normal((1, tasks)), random.standard_normal((2, tasks))
    ratio = across / within
    effects = np.sqrt(within) * (np.sqrt(ratio) * shared + np.sqrt(1 - ratio) * own)
    noise = random.standard_normal((2, tasks, runs))
    return effects[:, :, None] + np.sqrt(1 - within) * noise


def test_components_are_recovered():
    understands = drawn(within=0.7, across=0.5) < norm.ppf(0.6)
    pairs = paired((understands, np.ones_like(understands)))
    found = estimate_components(pairs, estimand_named("understands"))
    assert found.mean == pytest.approx(0.6, abs=0.04)
    assert found.within == pytest.approx(0.7, abs=0.06)
    assert found.across == pytest.approx(0.5, abs=0.08)
    assert (found.task_share, found.run_share) == (1, 1)


def test_components_of_the_dissociation_are_recovered():
    latent = drawn(within=0.6, across=0.3, tasks=1500)
    pairs = paired((latent > -norm.ppf(0.25), latent < norm.ppf(0.1)))
    found = estimate_components(pairs, estimand_named("dissociation"))
    assert (found.upper, found.lower) == pytest.approx((0.25, 0.1), abs=0.02)
    assert found.within == pytest.approx(0.6, abs=0.05)
    assert found.across == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("name", SIMULATED)
def test_simulated_experiments_vary_as_the_real_one(name):
    """The standard error of a real experiment is what its own simulation gives, and the spread."""
    understands = drawn(within=0.7, across=0.5, tasks=300, runs=3) < 0.3
    executes = drawn(within=0.8, across=0.6, tasks=300, runs=3, seed=12) < 0.1
    pairs, estimand = paired((understands, executes)), estimand_named(name)
    real = estimate_difference(*pair_sums(pairs, estimand), "empty").standard_error
    components = estimate_components(pairs, estimand)
    shape = (400, round(300 * components.task_share))
    (found,) = simulate_changes(components, shape, 3, [0.0], np.random.default_rng(1))
    assert found[0].mean() == pytest.approx(0, abs=0.005)
    assert found[0].std() == pytest.approx(real, rel=0.15)
    assert found[1].mean() / np.sqrt(shape[1]) == pytest.approx(real, rel=0.12)


@pytest.mark.parametrize("lower", [None, 0.2])
@pytest.mark.parametrize("run_share", [1.0, 0.6])
def test_the_shift_changes_the_mean_by_the_change(lower, run_share):
    components = rate(upper=0.4, lower=lower, run_share=run_share)
    changes = (-0.1, 0.0, 0.03)
    found = simulate_changes(components, (1, 200_000), 1, changes, np.random.default_rng(1))
    assert [float(mean[0]) for mean, _ in found] == pytest.approx(changes, abs=0.006)


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


def power(components, design, change):
    return simulate_power(components, design, [change], **OPTIONS)[0][0]


def rate(**changes):
    values = {"upper": 0.6, "within": 0.7, "across": 0.6, "tasks": 50}
    return Components(**values | {"task_share": 1.0, "run_share": 1.0} | changes)


@pytest.mark.parametrize("components", [rate(), rate(upper=0.3, lower=0.2)])
def test_without_a_change_the_test_errs_as_often_as_it_may(components):
    found = power(components, Design(tasks=100, runs=5), 0.0)
    assert found == pytest.approx(0.05, abs=0.017)


def test_power_grows_with_tasks_and_with_the_change():
    by_tasks = [power(rate(), Design(tasks=tasks, runs=5), 0.05) for tasks in (20, 60, 200)]
    assert by_tasks == sorted(by_tasks)
    by_change = simulate_power(rate(), Design(tasks=100, runs=5), (0.0, 0.03, 0.05), **OPTIONS)
    assert [found for found, _ in by_change] == sorted(found for found, _ in by_change)
    assert [equal for _, equal in by_change] == sorted((e for _, e in by_change), reverse=True)


def test_primary_estimands_have_the_power_of_an_adjusted_test():
    """Two of them under two conditions: a quarter of the level each."""
    outcomes = random_outcomes(tasks=40)
    facts = facts_about(outcomes)
    assert level_for("dbdk", facts, QUICK) == pytest.approx(0.05 / 4)
    assert level_for("understands", facts, QUICK) == pytest.approx(0.05)

    def powers(settings, columns):
        table = power_table(outcomes, facts, settings)
        return table[(table["estimand"] == "understands") & (table["change"] == 0.05)][columns]

    alone = powers(QUICK, ["power", "power_equivalence"])
    settings = QUICK.model_copy(update={"primary": ("understands", "dbdk")})
    among = powers(settings, ["power", "power_equivalence"])
    assert (among["power"] <= alone["power"]).all()
    assert among["power"].mean() < alone["power"].mean() - 0.05
    assert among["power_equivalence"].equals(alone["power_equivalence"])


def test_new_tasks_tell_more_than_new_runs():
    components = rate(within=0.8)
    many_tasks = power(components, Design(tasks=500, runs=1), 0.05)
    assert many_tasks > power(components, Design(tasks=20, runs=25), 0.05) + 0.1


def test_the_curve_agrees_with_the_simulated_designs():
    outcomes = random_outcomes(tasks=60)
    settings = QUICK.model_copy(update={"power_simulations": 600})
    table = power_table(outcomes, facts_about(outcomes), settings)
    rows = table[(table["tasks"] == 100) & (table["runs"] == 1) & (table["change"] == 0.05)]
    by_kind = rows.pivot_table(index=["condition", "estimand"], columns="kind", values="power")
    assert len(by_kind) == 2 * len(SIMULATED)
    assert (by_kind["curve"] - by_kind["simulated"]).abs().max() < 0.08


def test_simulation_is_repeatable():
    design = Design(tasks=40, runs=2)
    assert power(rate(), design, 0.05) == power(rate(), design, 0.05)


def test_the_planned_experiment_follows_from_the_published_one(tmp_path):
    """config/plan-n500.yaml has the shape that the power of published-n100 asks for."""
    outcomes = read_outcomes(write_record_outcomes(RECORDS / "published-n100.csv", tmp_path, 5))
    settings = StatisticsSettings()
    write_csv(tmp_path / "power.csv", power_table(outcomes, facts_about(outcomes), settings))
    settled = settled_designs(read_rows(tmp_path / "power.csv"), settings)
    assert settled["evaluations"] == 500
    answers = {(answer["label"], answer["change"]): answer for answer in settled["answers"]}
    designs = [(row["tasks"], row["runs"]) for row in answers["understands", 0.05]["enough"]]
    assert designs == [(100, 5), (500, 1)]
    for label, change in answers:
        if change == 0.03 or label.startswith(("DBDK", "dissociation")):
            assert not answers[label, change]["enough"], label
    plan = yaml.safe_load((ROOT / "config/plan-n500.yaml").read_text())["experiments"]["plan-n500"]
    tasks = read_task_set(ROOT / f"config/tasks/{plan['tasks']}.yaml")
    clusters = {task.template or task.id for task in tasks}
    assert len(clusters) >= designs[0][0]
    assert plan["runs"] == designs[0][1]
