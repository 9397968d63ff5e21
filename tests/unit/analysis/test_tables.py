import numpy as np
import pytest
from scipy.stats import t

from goodhart_gap.analysis.comparisons import category_table, comparison_table, influence_table
from goodhart_gap.analysis.flips import flip_table, transition_table
from goodhart_gap.analysis.tables import (
    count_table,
    coverage_table,
    quadrant_table,
    rate_table,
    response_table,
)
from tests.unit.analysis.workshop import (
    QUICK,
    evaluation,
    facts_about,
    random_outcomes,
    table_of,
)

CONDITIONS = ("baseline", "uniform")


def two_runs():
    """Two tasks, two runs; the first task flips between runs and under compression."""
    spots = {
        # (task, condition): (understands, executes) of each run
        ("a", "baseline"): [(1, 1), (0, 1)],
        ("b", "baseline"): [(1, 0), (1, 0)],
        ("a", "uniform"): [(0, 1), (0, 0)],
        ("b", "uniform"): [(1, 0), (1, 1)],
    }
    return table_of(
        evaluation(task, condition, understands=bool(u), executes=bool(e), run=run)
        for (task, condition), runs in spots.items()
        for run, (u, e) in enumerate(runs)
    )


def test_quadrants_are_counted():
    rows = quadrant_table(two_runs(), CONDITIONS).to_dict("records")
    counts = {(row["condition"], row["quadrant"]): row["count"] for row in rows}
    assert [counts[("baseline", name)] for name in ("KD", "KF", "DK", "NN")] == [1, 2, 1, 0]
    assert [counts[("uniform", name)] for name in ("KD", "KF", "DK", "NN")] == [1, 1, 1, 1]


def test_rates_are_ratios_of_counts():
    rates = rate_table(two_runs(), CONDITIONS, 0.95).set_index(["condition", "rate"])
    row = rates.loc[("baseline", "dbdk")]
    assert (row["numerator"], row["denominator"], row["tasks"]) == (1, 2, 1)
    row = rates.loc[("uniform", "gap_rate")]
    assert (row["numerator"], row["denominator"], row["tasks"]) == (1, 2, 1)


def test_a_condition_that_executes_nothing_has_no_dbdk():
    table = table_of(
        evaluation(task, condition, understands=True, executes=condition == "baseline")
        for task in "abc"
        for condition in CONDITIONS
    )
    rates = rate_table(table, CONDITIONS, 0.95).set_index(["condition", "rate"])
    assert rates.loc[("uniform", "dbdk"), "note"] == "n/a (no executed task)"
    assert np.isnan(rates.loc[("uniform", "dbdk"), "estimate"])
    comparisons = comparison_table(table, facts_about(table), QUICK).set_index("estimand")
    assert comparisons.loc["dbdk", "verdict"] == "refused"
    assert comparisons.loc["dbdk", "note"] == "n/a (no executed task)"
    assert comparisons.loc["executes", "difference"] == -1


def test_counts_by_group_are_those_of_the_rows():
    outcomes = random_outcomes()
    for keys in (["category", "task"], ["category"]):
        table = count_table(outcomes, ["baseline", "uniform", "selective"], keys)
        assert table["evaluations"].sum() == len(outcomes)
        assert table["executes"].sum() == outcomes["executes"].sum()
        assert (table[["KD", "KF", "DK", "NN"]].sum(axis=1) == table["evaluations"]).all()


def test_responses_are_counted_by_status_and_cut():
    rows = [
        evaluation("a", "baseline", understands=True, executes=True, run=run)
        | {
            "answer_status": status,
            "execution_truncated": int(run == 2),
            "execution_tokens": 10 * run,
        }
        for run, status in enumerate(["correct", "wrong", "truncated"])
    ]
    table = response_table(table_of(rows), ["baseline"])
    execution = table[table["role"] == "execution"]
    assert dict(zip(execution["status"], execution["count"], strict=True)) == {
        "correct": 1,
        "wrong": 1,
        "truncated": 1,
    }
    assert set(execution["truncated"]) == {1}
    assert set(execution["mean_tokens"]) == {10.0}
    explanation = table[table["role"] == "explanation"].iloc[0]
    assert explanation["status"] == "not recorded"
    assert np.isnan(explanation["truncated"])


def test_missing_runs_are_counted():
    outcomes = random_outcomes(tasks=3, runs=2, conditions=CONDITIONS)
    outcomes = outcomes.drop(index=0)
    coverage = coverage_table(outcomes, CONDITIONS, (42,), 2).set_index("condition")
    assert coverage.loc["baseline", "missing"] == 1
    assert coverage.loc["uniform", "missing"] == 0
    comparisons = comparison_table(outcomes, facts_about(outcomes), QUICK)
    assert set(comparisons["pairs"]) == {5}
    assert set(comparisons["unpaired"]) == {1}


def test_transitions_pair_the_same_task_and_run():
    table = two_runs()
    rows = transition_table(table, facts_about(table)).to_dict("records")
    moved = {(row["from"], row["to"]): row["count"] for row in rows if row["count"]}
    assert moved == {("KD", "DK"): 1, ("DK", "NN"): 1, ("KF", "KF"): 1, ("KF", "KD"): 1}


def test_flips_are_counted_beside_the_noise_floor():
    table = two_runs()
    flips = flip_table(table, facts_about(table), QUICK).set_index(["condition", "kind"])
    assert tuple(flips.loc[("baseline", "within"), ["flips", "pairs"]]) == (1, 2)
    assert tuple(flips.loc[("uniform", "same_run"), ["flips", "pairs"]]) == (3, 4)
    # a: KD against NN, DK against DK; b: KF against KD, KF against KF.
    assert tuple(flips.loc[("uniform", "other_run"), ["flips", "pairs"]]) == (2, 4)
    assert flips.loc[("uniform", "excess"), "share"] == pytest.approx(2 / 4 - 1 / 2)


def test_one_run_has_no_noise_floor():
    table = random_outcomes(runs=1)
    flips = flip_table(table, facts_about(table), QUICK).set_index(["condition", "kind"])
    assert flips.loc[("baseline", "within"), "note"] == "n/a (one run)"
    assert flips.loc[("uniform", "excess"), "note"] == "n/a (one run)"
    assert flips.loc[("uniform", "same_run"), "pairs"] == 12


def test_holm_covers_the_primary_family_only():
    outcomes = random_outcomes(tasks=20)
    table = comparison_table(outcomes, facts_about(outcomes), QUICK)
    primary = table[table["primary"]]
    assert len(primary) == 2 * len(QUICK.primary)
    ordered = primary.sort_values("p_value")
    expected = np.minimum(
        np.maximum.accumulate(ordered["p_value"].to_numpy() * np.arange(4, 0, -1)), 1
    )
    np.testing.assert_allclose(ordered["p_adjusted"], expected)
    assert table.loc[~table["primary"], "p_adjusted"].isna().all()


@pytest.mark.parametrize(
    ("tasks", "gate", "reason"),
    [
        (12, "passed", "12 tasks, fewer than 30"),
        (40, "failed", "the graders missed their gate"),
        (40, "not measured", "the graders' gate is unknown"),
    ],
)
def test_verdicts_are_refused(tasks, gate, reason):
    outcomes = random_outcomes(tasks=tasks)
    facts = facts_about(outcomes, grader_gate=gate)
    table = comparison_table(outcomes, facts, QUICK).set_index(["condition", "estimand"])
    row = table.loc[("uniform", "understands")]
    assert (row["verdict"], row["reason"]) == ("refused", reason)


def test_verdicts_tell_different_equivalent_and_inconclusive():
    def outcomes(understood):
        return table_of(
            evaluation(
                f"t{task:03d}",
                condition,
                understands=understood(task) if condition == "uniform" else True,
                executes=True,
            )
            for task in range(100)
            for condition in CONDITIONS
        )

    def verdict(understood):
        table = outcomes(understood)
        facts = facts_about(table, grader_gate="passed")
        settings = QUICK.model_copy(update={"primary": ("understands",)})
        rows = comparison_table(table, facts, settings).set_index("estimand")
        assert set(rows["verdict"].drop("understands")) <= {"exploratory", "refused"}
        return rows.loc["understands", "verdict"]

    assert verdict(lambda task: task > 20) == "different"
    assert verdict(lambda task: True) == "equivalent"
    assert verdict(lambda task: task > 2) == "inconclusive"


def test_what_is_not_primary_is_exploratory_however_small_its_p_value():
    table = table_of(
        evaluation(
            f"t{task:03d}",
            condition,
            understands=condition == "baseline" or task > 40,
            executes=task % 2 == 0,
        )
        for task in range(100)
        for condition in CONDITIONS
    )
    facts = facts_about(table, grader_gate="passed")
    rows = comparison_table(table, facts, QUICK).set_index("estimand")
    assert rows.loc["understands", "p_value"] < 1e-6
    assert rows.loc["understands", ["verdict", "reason"]].tolist() == [
        "exploratory",
        "not a primary estimand; its p value is not adjusted",
    ]
    assert rows.loc["dissociation", "verdict"] == "different"


def test_total_collapse_is_different_and_in_the_family_of_holm():
    table = table_of(
        evaluation(f"t{task:03d}", condition, understands=True, executes=condition == "baseline")
        for task in range(40)
        for condition in CONDITIONS
    )
    facts = facts_about(table, grader_gate="passed")
    row = comparison_table(table, facts, QUICK).set_index("estimand").loc["dissociation"]
    assert (row["difference"], row["standard_error"], row["test"]) == (1, 0, "permutation")
    assert row["p_adjusted"] == row["p_permutation"] == 1 / (QUICK.permutations + 1)
    assert row["verdict"] == "different"


def test_the_detectable_change_of_a_primary_estimand_is_that_of_an_adjusted_test():
    outcomes = random_outcomes(tasks=30)
    facts = facts_about(outcomes)

    def detectable(*primary):
        settings = QUICK.model_copy(update={"primary": primary})
        rows = comparison_table(outcomes, facts, settings).set_index(["condition", "estimand"])
        return rows.loc[("uniform", "understands"), "detectable"]

    alone, among = detectable("dbdk"), detectable("dbdk", "understands")
    multiples = [t.ppf(1 - level / 2, 29) + t.ppf(0.8, 29) for level in (0.05, 0.05 / 4)]
    assert among / alone == pytest.approx(multiples[1] / multiples[0])


def test_an_unchanged_dissociation_takes_twice_the_tasks_to_be_equivalent():
    table = table_of(
        evaluation(f"t{task:03d}", condition, understands=True, executes=True)
        for task in range(100)
        for condition in CONDITIONS
    )
    rows = comparison_table(table, facts_about(table), QUICK).set_index("estimand")
    assert rows.loc["dbdk", "equivalent"]
    assert not rows.loc["dissociation", "equivalent"]
    assert rows.loc["dissociation", "high"] == pytest.approx(2 * rows.loc["dbdk", "high"])


def test_categories_are_adjusted_together():
    outcomes = random_outcomes(tasks=12)
    table = category_table(outcomes, facts_about(outcomes), QUICK)
    assert len(table) == 2 * 3 * 2
    assert (table["p_false_discovery"] >= table["p_permutation"] - 1e-12).all()


def test_influence_leaves_out_each_task_once():
    outcomes = random_outcomes(tasks=6)
    table = influence_table(outcomes, facts_about(outcomes), QUICK)
    counts = table.groupby(["condition", "estimand"])["left_out"].nunique()
    assert (counts == 6).all()


def test_tasks_of_one_template_are_one_cluster():
    outcomes = table_of(
        evaluation(f"t{task}", condition, understands=bool(task % 2), executes=True, template="x")
        for task in range(4)
        for condition in CONDITIONS
    )
    table = rate_table(outcomes, CONDITIONS, 0.95)
    assert set(table.loc[table["denominator"] > 0, "tasks"]) == {1}
