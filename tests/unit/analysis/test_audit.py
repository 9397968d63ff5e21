import pytest

from goodhart_gap.analysis.artefacts import (
    artefact_table,
    headline_table,
    never_explained_table,
    never_explained_tasks,
    readings,
)
from goodhart_gap.analysis.audit import audit_table, read_stated, total_table
from goodhart_gap.analysis.audit_document import audit_context
from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.documents import render
from goodhart_gap.analysis.outcomes import check_outcomes, read_outcomes
from goodhart_gap.analysis.settings import AuditDesigns, ExperimentDesign
from goodhart_gap.analysis.variants import VARIANTS, WITHOUT
from goodhart_gap.errors import GoodhartError
from tests.unit.analysis.workshop import QUICK, RECORDS, evaluation, table_of, write_record_outcomes

CONDITIONS = ("baseline", "uniform", "selective")
DESIGNS = {
    "published-n100": ExperimentDesign(
        baseline="baseline", conditions=CONDITIONS, runs=5, seeds=(42,)
    ),
    "published-n20": ExperimentDesign(
        baseline="baseline", conditions=CONDITIONS, runs=1, seeds=(42,)
    ),
}
SETTINGS = dict.fromkeys(DESIGNS, QUICK)
# Found by reading the published files beside the stated figures, once, by hand.
WRONG = {
    ("published-n100", "explanation_characters", "uniform", ""): ("531", "521"),
    ("published-n100", "executes_of_category", "uniform", "time"): ("13", "15"),
    ("published-n100", "executes_of_category", "uniform", "scheduling"): ("4", "3"),
    ("published-n20", "identical_quadrants", "uniform", ""): ("20", "18"),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outcomes")
    return {
        name: read_outcomes(
            write_record_outcomes(RECORDS / f"{name}.csv", folder / name, design.runs)
        )
        for name, design in DESIGNS.items()
    }


@pytest.fixture(scope="module")
def audit(outcomes):
    return audit_table(read_stated(RECORDS / "stated.csv"), outcomes, DESIGNS, SETTINGS)


def test_the_audit_finds_what_is_wrong_and_nothing_else(audit):
    counts = audit[audit["about"] != "precision"]
    different = counts[counts["verdict"] == "different"]
    found = {
        (row.experiment, row.quantity, row.condition, row.subject): (row.stated, row.recomputed)
        for row in different.fillna({"subject": ""}).itertuples()
    }
    assert found == WRONG


def test_the_stated_precision_is_not_that_of_the_data(audit):
    precision = audit[audit["about"] == "precision"]
    assert set(precision["verdict"]) == {"different"}
    errors = precision[precision["quantity"] == "dbdk_standard_error"]
    assert set(errors["recomputed"]) == {"11", "12"}
    assert int(precision.iloc[-1]["recomputed"]) > 8 * 400


def test_each_experiment_is_audited_with_its_own_settings(outcomes, audit):
    """A power nearer to certainty asks for more evaluations; only where it was asked for."""
    stricter = SETTINGS | {"published-n100": QUICK.model_copy(update={"power_target": 0.95})}
    stated = [
        row
        for row in read_stated(RECORDS / "stated.csv")
        if row["quantity"] in ("evaluations_needed", "identical_quadrants")
    ]
    again = audit_table(stated, outcomes, DESIGNS, stricter).set_index("quantity")
    needed = audit.set_index("quantity").loc["evaluations_needed", "recomputed"]
    assert int(again.loc["evaluations_needed", "recomputed"]) > int(needed)
    wider = SETTINGS | {"published-n20": QUICK.model_copy(update={"confidence": 0.99})}
    keys = ["experiment", "variant", "condition", "estimand"]
    headlines = [
        headline_table(outcomes, DESIGNS, settings).set_index(keys).sort_index()
        for settings in (SETTINGS, wider)
    ]
    for name, same in (("published-n100", True), ("published-n20", False)):
        rows = [table.loc[(name, "as published"), "low"] for table in headlines]
        assert rows[0].equals(rows[1]) == same


def test_the_pilot_tasks_that_moved_are_named(audit):
    row = audit[audit["quantity"] == "identical_quadrants"].iloc[0]
    assert row["note"] == "elapsed_time DK to KD; profit_margin KD to DK"


def test_a_figure_about_nothing_is_refused(outcomes):
    row = {
        "experiment": "published-n100",
        "quantity": "dk_of_task",
        "condition": "uniform",
        "subject": "no_such_task",
        "stated": "1",
        "unit": "count",
        "about": "x",
    }
    with pytest.raises(GoodhartError, match="task 'no_such_task' has no outcomes"):
        audit_table([row], outcomes, DESIGNS, SETTINGS)
    with pytest.raises(GoodhartError, match="quantity 'hope' is unknown"):
        audit_table([row | {"quantity": "hope"}], outcomes, DESIGNS, SETTINGS)
    with pytest.raises(GoodhartError, match="'mine' has no outcomes"):
        audit_table([row | {"experiment": "mine"}], outcomes, DESIGNS, SETTINGS)


def test_three_tasks_supply_fifteen_of_the_dk_cases(outcomes):
    table = outcomes["published-n100"]
    tasks = ["ranking_update", "reverse_percentage", "transitive_order"]
    assert never_explained_tasks(table) == tasks
    rows = artefact_table(outcomes, DESIGNS).to_dict("records")
    cases = [
        (row["cases"], row["of"])
        for row in rows
        if row["experiment"] == "published-n100" and row["artefact"].startswith("solved, never")
    ]
    assert cases == [(15, 24)] * 3


def test_the_empty_answer_that_passed_is_found(outcomes):
    rows = artefact_table(outcomes, DESIGNS).set_index(["experiment", "condition", "artefact"])
    assert rows.loc[("published-n100", "selective", "empty: passed"), "evaluations"] == 1
    assert rows.loc[("published-n100", "uniform", "empty: passed"), "evaluations"] == 0
    assert rows.loc[("published-n20", "uniform", "explanation of one fixed length"), "cases"] == 4


def small():
    """One passing refusal (DK), one passing answer (KD), one task never explained."""
    rows = []
    for condition in ("baseline", "uniform"):
        rows += [
            evaluation("refused", condition, understands=True, executes=True)
            | {"answer_status": "refusal"},
            evaluation("good", condition, understands=True, executes=True)
            | {"answer_status": "correct"},
            evaluation("unexplained", condition, understands=False, executes=True)
            | {"answer_status": "correct"},
        ]
    return table_of(rows)


@pytest.mark.parametrize(
    ("variant", "rows", "executes"),
    [
        ("as published", 6, 6),
        ("uncommitted passes fail", 6, 4),
        ("never-explained tasks left out", 4, 4),
        ("all together", 4, 2),
        ("without: refusal: passed", 4, 4),
        ("without: solved, never explained in any condition", 4, 4),
    ],
)
def test_readings_change_only_what_they_say(variant, rows, executes):
    changed = check_outcomes(readings(small())[variant])
    assert len(changed) == rows
    assert changed["executes"].sum() == executes
    refused = changed[changed["task"] == "refused"]["quadrant"]
    fails = variant in ("uncommitted passes fail", "all together")
    assert set(refused) <= ({"KF"} if fails else {"KD"})


def test_failures_on_a_value_of_the_task_are_left_out_together_with_the_rest():
    table = table_of(
        evaluation(task, condition, understands=True, executes=task == "good")
        | {"answer_status": "correct" if task == "good" else task}
        for task in ("good", "operand", "intermediate", "wrong")
        for condition in ("baseline", "uniform")
    )
    found = readings(table)
    assert set(found["all together"]["task"]) == {"good", "wrong"}
    assert set(found["without: failed with an earlier result"]["task"]) == {
        "good",
        "operand",
        "wrong",
    }


def test_every_artefact_has_a_headline_without_it(outcomes):
    table = headline_table(outcomes, DESIGNS, SETTINGS)
    artefacts = artefact_table(outcomes, DESIGNS)
    for experiment in DESIGNS:
        mine = artefacts[artefacts["experiment"] == experiment]
        names = set(mine[mine["evaluations"] > 0]["artefact"])
        assert len(names) >= 5
        shown = set(table[table["experiment"] == experiment]["variant"])
        assert shown == set(VARIANTS) | {f"{WITHOUT}{name}" for name in names}
    whole = mine[mine["evaluations"] == mine["evaluated"]]
    assert set(whole["artefact"]) == {"explanation of one fixed length"}
    rows = table[table["variant"] == f"{WITHOUT}explanation of one fixed length"]
    assert set(rows["note"]) == {"n/a (no executed task)", "n/a (no understood task)"}


def test_every_variant_of_the_headline_is_computed(outcomes):
    table = (
        headline_table(outcomes, DESIGNS, SETTINGS)
        .set_index(["experiment", "variant", "condition", "estimand"])
        .sort_index()
    )
    published = table.loc[("published-n100", "as published")]
    assert tuple(published.loc[("selective", "dbdk"), ["numerator", "denominator"]]) == (24, 62)
    without = table.loc[("published-n100", "never-explained tasks left out")]
    assert tuple(without.loc[("baseline", "dbdk"), ["numerator", "denominator"]]) == (9, 52)


def test_the_document_prints_every_difference(outcomes, audit, tmp_path):
    tables = {
        "audit": audit,
        "totals": total_table(audit),
        "artefacts": artefact_table(outcomes, DESIGNS),
        "headline": headline_table(outcomes, DESIGNS, SETTINGS),
        "never": never_explained_table(outcomes),
    }
    for name, table in tables.items():
        write_csv(tmp_path / f"{name}.csv", table)
    context = audit_context(
        read_rows(tmp_path / "audit.csv", text=("stated", "recomputed")),
        read_rows(tmp_path / "totals.csv"),
        read_rows(tmp_path / "artefacts.csv"),
        read_rows(tmp_path / "headline.csv"),
        read_rows(tmp_path / "never.csv"),
        AuditDesigns(experiments=DESIGNS),
        "stated.csv",
    )
    text = render("AUDIT.md.jinja", context)
    differing = text.split("## Figures that differ")[1].split("## What the graders did")[0]
    for (experiment, _, condition, subject), (stated, recomputed) in WRONG.items():
        assert any(
            all(part in line for part in (experiment, condition, subject, stated))
            and f"**{recomputed}" in line
            for line in differing.splitlines()
        )
    assert "ranking_update, reverse_percentage and transitive_order" in text
    assert "| 9/52 = 17.3 % |" in text
    assert "equal: 127; different: 8" in text
