"""Tables and documents of sweeps: against plain formulas, on data made for one answer each."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr, t

from goodhart_gap.analysis.block_profiles import (
    LABELS,
    agreement_table,
    block_table,
    measures_of,
    shape_table,
)
from goodhart_gap.analysis.comparisons import comparison_table
from goodhart_gap.analysis.csv_tables import read_rows, write_csv
from goodhart_gap.analysis.documents import render
from goodhart_gap.analysis.figures.ablation import VARIES as FIGURE_VARIES
from goodhart_gap.analysis.figures.ablation import draw_ablation
from goodhart_gap.analysis.figures.bits import draw_bits
from goodhart_gap.analysis.figures.profile import draw_profile
from goodhart_gap.analysis.figures.style import save_svg
from goodhart_gap.analysis.flips import flip_table
from goodhart_gap.analysis.settings import StatisticsSettings
from goodhart_gap.analysis.sweep_answers import (
    answer_table,
    budget_table,
    smallest_enough,
    unseen,
)
from goodhart_gap.analysis.sweep_documents import (
    VARIES,
    VERDICTS,
    ablation_context,
    bits_context,
    sensitivity_context,
    times,
    verdict,
)
from goodhart_gap.analysis.sweep_settings import ProfileFacts, SweepCondition, SweepFacts
from goodhart_gap.analysis.sweeps import control_table, reuse_table, sweep_table
from goodhart_gap.analysis.tables import count_table, quadrant_table, rate_table
from tests.unit.analysis.workshop import evaluation, table_of

Tables = dict[str, list[dict[str, Any]]]
BLOCKS = 8
TASKS = 40
FAST = StatisticsSettings(bootstrap_resamples=50, permutations=99)


def member(name: str, **about: Any) -> SweepCondition:
    about.setdefault("kind", "family")
    return SweepCondition(name=name, **about)


MEMBERS = (
    member("baseline", kind="baseline", protected=tuple(range(BLOCKS))),
    member("three", kind="compressed", method="caldera", nominal_bits=3),
    member("two", kind="compressed", method="rtn", nominal_bits=2),
    member("mixed", kind="mixed", method="caldera", nominal_bits=3.5),
    member("chosen", kind="selective", method="caldera", reused="three", protected=(7,)),
    *(
        member(
            f"last-{count}",
            family="last",
            varies="last",
            method="caldera",
            reused="three",
            protected=tuple(range(BLOCKS - count, BLOCKS)),
        )
        for count in (1, 2, 4)
    ),
    *(
        member(
            f"window-{first}",
            family="window",
            varies="window",
            method="caldera",
            reused="three",
            protected=(first, first + 1),
        )
        for first in (0, 4)
    ),
)
KL = {
    "three": 0.4,
    "two": 3.0,
    "mixed": 0.3,
    "chosen": 0.38,
    "last-1": 0.3,
    "last-2": 0.15,
    "last-4": 0.1,
    "window-0": 0.39,
    "window-4": 0.2,
}
BITS = dict.fromkeys(KL, 5.0) | {"three": 3.5, "two": 2.5, "mixed": 4.0, "chosen": 4.2}
SOLVED = {"baseline": 30, "two": 0, "three": 20}
"""Of 40 tasks; 30 where nothing else is said."""


def facts(**changes: Any) -> SweepFacts:
    return SweepFacts.model_validate(
        {
            "experiment": "sweep",
            "model": "tiny",
            "blocks": BLOCKS,
            "baseline": "baseline",
            "conditions": [each.name for each in MEMBERS],
            "runs": 2,
            "seeds": [42],
            "members": MEMBERS,
            "margin": 0.1,
        }
        | changes
    )


def of_sequence(kl: float, sequence: int) -> float:
    """Sequences differ, and not by the same share under every condition."""
    return kl * (1 + (0.1 + 0.1 * kl) * (sequence % 2))


def divergence(kl: float) -> list[dict[str, float]]:
    """Six sequences; the base's perplexity is e squared."""
    return [
        {
            "sequence": sequence,
            "tokens": 100,
            "loss": 100 * (2 + kl) * (1 + 0.01 * (sequence % 2)),
            "base_loss": 200,
            "kl": 100 * of_sequence(kl, sequence),
            "agreements": 90,
        }
        for sequence in range(6)
    ]


def outcomes() -> pd.DataFrame:
    return table_of(
        evaluation(
            f"t{task}",
            each.name,
            understands=task % 2 == 0,
            executes=task < SOLVED.get(each.name, 30),
            run=run,
        )
        for each in MEMBERS
        for task in range(TASKS)
        for run in range(2)
    )


def tables(folder: Path, about: SweepFacts | None = None) -> Tables:
    """All tables of a sweep, through files, as the documents read them."""
    about = about or facts()
    data = outcomes()
    made = {
        "comparisons": comparison_table(data, about, FAST),
        "flips": flip_table(data, about, FAST),
        "rates": rate_table(data, about.conditions, about.confidence),
        "by_task": count_table(data, about.conditions, ["category", "task"]),
        "quadrants": quadrant_table(data, about.conditions),
        "controls": control_table(about, data),
    }
    read = {name: written(folder / f"{name}.csv", table) for name, table in made.items()}
    divergences = {name: divergence(kl) for name, kl in KL.items()}
    sweep = sweep_table(about, BITS, divergences, read["comparisons"], read["flips"], read["rates"])
    allocations = {
        "three": {"modules": {"a": {"protected": False}, "b": {"protected": False}}},
        "last-1": {
            "modules": {
                "a": {"protected": False, "origin": "three"},
                "b": {"protected": True, "origin": "base"},
            }
        },
    }
    made = {
        "sweep": sweep,
        "answers": answer_table(about, sweep, divergences),
        "budget": budget_table(about, sweep, divergences),
        "reuse": reuse_table(allocations),
    }
    return read | {name: written(folder / f"{name}.csv", table) for name, table in made.items()}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The tables of the sweep as configured; copy a row before changing it."""
    return tables(tmp_path_factory.mktemp("sweep"))


def written(path: Path, table: pd.DataFrame) -> list[dict[str, Any]]:
    write_csv(path, table)
    return read_rows(path, text=("protected_blocks", "best_protected_blocks"))


def one(rows: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    (row,) = (row for row in rows if all(row[key] == value for key, value in values.items()))
    return row


def test_text_measures_are_ratios_over_sequences(read: Tables) -> None:
    row = one(read["sweep"], condition="three")
    values = np.array([of_sequence(0.4, sequence) for sequence in range(6)])
    half = t.ppf(0.975, 5) * values.std(ddof=1) / math.sqrt(6)
    assert row["kl"] == pytest.approx(values.mean())
    assert row["kl_low"] == pytest.approx(values.mean() - half)
    assert row["kl_high"] == pytest.approx(values.mean() + half)
    assert row["perplexity"] == pytest.approx(math.exp(2.4 * 1.005))
    # Paired by sequence: what they have in common does not widen the interval.
    extra = np.array([0.4 + 0.01 * 2.4 * (sequence % 2) for sequence in range(6)])
    half = t.ppf(0.975, 5) * extra.std(ddof=1) / math.sqrt(6)
    assert row["perplexity_ratio"] == pytest.approx(math.exp(extra.mean()))
    assert row["perplexity_ratio_low"] == pytest.approx(math.exp(extra.mean() - half))
    assert row["perplexity_ratio_high"] == pytest.approx(math.exp(extra.mean() + half))
    assert row["agreement"] == 0.9
    baseline = one(read["sweep"], condition="baseline")
    assert baseline["perplexity"] == pytest.approx(math.exp(2))
    assert baseline["kl"] is None
    assert baseline["perplexity_ratio"] is None
    assert baseline["bits_per_parameter"] == 16


def test_outcomes_flips_and_verdicts(read: Tables, tmp_path: Path) -> None:
    sweep = read["sweep"]
    rough, fine = one(sweep, condition="two"), one(sweep, condition="last-4")
    assert rough["executes_change"] == pytest.approx(-0.75)
    assert rough["kept"] == "no"
    assert rough["noise_floor"] == "outside"
    # Nothing changed: what 40 tasks can show is 8.8 points.
    assert fine["executes_change"] == 0
    assert fine["kept"] == "yes"
    assert fine["noise_floor"] == "not shown"
    strict = facts(margin=0.05)
    assert one(tables(tmp_path, strict)["sweep"], condition="last-4")["kept"] == "not shown"


def test_the_smallest_sets_that_are_enough(read: Tables) -> None:
    answers = read["answers"]
    last = one(answers, family="last")
    assert last["smallest_kept"] == 1
    assert last["smallest_recovering"] == 2
    assert last["best"] == "last-4"
    assert last["best_recovered"] == pytest.approx(0.75, abs=0.01)
    assert last["best_protected_blocks"] == "4-7"
    window = one(answers, family="window")
    assert window["best"] == "window-4"
    assert window["best_kl"] == pytest.approx(0.2 * 1.06)


@pytest.mark.parametrize(
    ("protected", "enough", "smallest"),
    [
        ([1, 2, 4], [True, True, True], 1),
        ([1, 2, 4], [False, True, True], 2),
        ([1, 2, 4], [True, False, True], 4),
        ([1, 2, 4], [True, True, False], None),
        ([2, 2, 2], [False, True, False], 2),
        ([1, 2, 2], [True, True, False], 2),
    ],
)
def test_a_smaller_set_counts_where_all_larger_ones_are_enough(
    protected: list[int], enough: list[bool], smallest: int | None
) -> None:
    members = pd.DataFrame({"protected": protected})
    assert smallest_enough(members, pd.Series(enough)) == smallest


def test_the_best_set_is_told_from_the_next_by_sequence(read: Tables) -> None:
    last = one(read["answers"], family="last")
    assert last["next"] == "last-2"
    values = np.array([of_sequence(0.15, s) - of_sequence(0.1, s) for s in range(6)])
    assert last["next_over"] == pytest.approx(values.mean())
    assert last["next_over_low"] > 0
    alike = [dict(row) for row in read["answers"]]
    one(alike, family="last")["next_over_low"] = -0.01
    text = render("ABLATION.md.jinja", ablation_context(facts(), read | {"answers": alike}, {}))
    assert "not told apart from last-2, the next" in text
    assert "window-0, the next, has" in text


def test_behaviour_starts_to_change_where_all_fewer_bits_are_outside_too(read: Tables) -> None:
    about = facts()
    rows = [dict(row) for row in read["sweep"]]
    for name, bits, found in (
        ("three", 3.5, "outside"),
        ("mixed", 4.0, "not shown"),
        ("chosen", 5.0, "outside"),
    ):
        one(rows, condition=name).update(
            kind="compressed", bits_per_parameter=bits, noise_floor=found
        )
    text = render("BITS.md.jinja", bits_context(about, read | {"sweep": rows}, {}))
    assert "**caldera**: from 3.50 bits a weight (three) down flips are outside" in text
    assert "outside as well, though fewer bits are not: chosen (" in text
    one(rows, condition="three")["noise_floor"] = "not shown"
    text = render("BITS.md.jinja", bits_context(about, read | {"sweep": rows}, {}))
    assert "**caldera**: no start is shown (conditions: 3)" in text


def test_text_is_predicted_worse_where_it_is_at_all_fewer_bits_too(read: Tables) -> None:
    rows = [dict(row) for row in read["sweep"]]
    for name, bits, low in (("three", 3.5, 1.2), ("mixed", 4.0, 0.99), ("chosen", 5.0, 1.01)):
        one(rows, condition=name).update(
            kind="compressed",
            bits_per_parameter=bits,
            perplexity_ratio=1.25,
            perplexity_ratio_low=low,
            perplexity_ratio_high=1.3,
        )
    text = render("BITS.md.jinja", bits_context(facts(), read | {"sweep": rows}, {}))
    assert (
        "from 3.50 bits a weight (three) down: there 1.250 (1.200 to 1.300) times the base's; "
        "at 4.00 bits (mixed) it is 1.250 (0.990 to 1.300) times; above it as well, though fewer "
        "bits are not: chosen (1.250 (1.010 to 1.300))." in text
    )
    one(rows, condition="three")["perplexity_ratio_low"] = None
    text = render("BITS.md.jinja", bits_context(facts(), read | {"sweep": rows}, {}))
    assert "**caldera**: no start is shown (conditions: 3); above it as well" in text


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [(0.9983, "0.998"), (1.0051, "1.005"), (35812.9, "35,813"), (33.118, "33.12")],
)
def test_ratios_of_perplexities_have_four_digits(ratio: float, shown: str) -> None:
    row = {"perplexity_ratio": ratio, "perplexity_ratio_low": None, "perplexity_ratio_high": None}
    assert times(row) == f"{shown} (no interval)"


def test_a_collapse_of_every_task_is_outside_the_noise_floor(tmp_path: Path) -> None:
    """No task differs from another then, and the largest effect must not go unmeasured."""
    names = ("baseline", "two")
    about = facts(
        conditions=names, members=[each for each in MEMBERS if each.name in names], margin=0.3
    )
    data = table_of(
        evaluation(f"t{task}", name, understands=True, executes=name == "baseline", run=run)
        for name in names
        for task in range(20)
        for run in range(2)
    )
    flips = written(tmp_path / "flips.csv", flip_table(data, about, FAST))
    comparisons = written(tmp_path / "c.csv", comparison_table(data, about, FAST))
    rates = written(tmp_path / "r.csv", rate_table(data, names, 0.95))
    divergences = {"two": divergence(3.0)}
    table = sweep_table(about, BITS, divergences, comparisons, flips, rates)
    (row,) = written(tmp_path / "s.csv", table[table["condition"] == "two"])
    assert row["excess_flips"] == 1
    assert row["noise_floor"] == "outside"
    assert row["kept"] == "no"


def test_why_flips_were_not_measured_is_said() -> None:
    row = {"noise_floor": "not measured", "excess_flips_note": "n/a (one run)"}
    assert verdict(row) == "n/a (one run)"
    assert verdict({"noise_floor": None, "excess_flips_note": None}) == "-"


def test_sequences_by_which_a_budget_was_spent_are_left_out() -> None:
    rows = divergence(0.1)
    assert unseen(rows, 0) == rows
    # A sequence is 101 tokens: 100 that are predicted, and the first.
    for tokens, first in ((1, 1), (101, 1), (201, 1), (202, 2), (512, 5)):
        assert unseen(rows, tokens) == rows[first:]
    members = [
        each.model_copy(update={"chosen_by_tokens": 202}) if each.name == "chosen" else each
        for each in MEMBERS
    ]
    divergences = {name: divergence(kl) for name, kl in KL.items()}
    sweep = pd.DataFrame(
        {"condition": each.name, "bits_per_parameter": BITS.get(each.name, 16)} for each in MEMBERS
    )
    row = budget_table(facts(members=members), sweep, divergences).iloc[0]
    values = np.array([of_sequence(0.38, s) - of_sequence(0.3, s) for s in range(2, 6)])
    assert row["sequences"] == 4
    assert row["difference"] == pytest.approx(values.mean())


def test_selective_is_compared_at_the_nearest_bits(read: Tables) -> None:
    row = one(read["budget"], selective="chosen")
    assert row["uniform"] == "mixed"
    values = np.array([of_sequence(0.38, s) - of_sequence(0.3, s) for s in range(6)])
    assert row["difference"] == pytest.approx(values.mean())
    assert row["difference_low"] > 0


def test_unequal_bits_are_not_compared() -> None:
    divergences = {name: divergence(kl) for name, kl in KL.items()}
    sweep = pd.DataFrame(
        {"condition": each.name, "bits_per_parameter": BITS.get(each.name, 16)} for each in MEMBERS
    )
    sweep.loc[sweep["condition"] == "chosen", "bits_per_parameter"] = 6.0
    table = budget_table(facts(), sweep, divergences)
    assert list(table["selective"]) == ["chosen"]
    assert table["uniform"].isna().all()


def test_matrices_are_counted(read: Tables) -> None:
    total = one(read["reuse"], condition="all")
    assert (total["compressed"], total["reused"], total["kept"]) == (2, 1, 1)


def test_the_null_control_is_the_baseline_against_itself() -> None:
    data = outcomes()
    late = (data["condition"] == "baseline") & (data["run"] == 1)
    same = control_table(facts(), data).set_index("estimand")
    assert (same["difference"] == 0).all()
    data.loc[late & data["task"].isin([f"t{n}" for n in range(4)]), "executes"] = 0
    changed = control_table(facts(), data).set_index("estimand")
    assert changed.at["executes", "difference"] == pytest.approx(-4 / TASKS)
    one_run = control_table(facts(runs=1), data[data["run"] == 0])
    assert one_run["difference"].isna().all()
    assert set(one_run["note"]) == {"n/a (too few runs)"}
    data.loc[late, "understands"] = 0
    blind = control_table(facts(), data).set_index("estimand")
    assert blind.at["gap_rate", "note"] == "n/a (no understood task)"


UNDEFINED = re.compile(r"\b(nan|none|inf|undefined)\b", re.IGNORECASE)


def test_the_documents_say_what_the_tables_say(read: Tables) -> None:
    published = {"rates": read["rates"], "comparisons": read["comparisons"]}
    about = facts(published="published-layers")
    ablation = render("ABLATION.md.jinja", ablation_context(about, read, published))
    assert "Fewest protected blocks shown to keep execution within 10 % of the baseline: 1." in (
        ablation
    )
    assert "Fewest shown to take away 50 % of the KL: 2." in ablation
    assert "Nearest to the base: last-4 (protected: 4-7)" in ablation
    assert "matrices that its conditions rest on: 2" in ablation
    assert "taken from them again, not compressed: 1; left as they are: 1." in ablation
    assert "The published sweep (published-layers)" in ablation
    assert "outside the noise floor" in ablation
    bits = render("BITS.md.jinja", bits_context(about, read, published))
    assert "**rtn**: from 2.50 bits a weight (two)" in bits
    assert "Positive: two at 2.50 bits" in bits
    assert "the uniform one is nearer the base" in bits
    for text in (ablation, bits):
        assert not UNDEFINED.search(text.replace("comes from none", "")), UNDEFINED.search(text)
    low = facts(floor_rate=0.9)
    floored = render("ABLATION.md.jinja", ablation_context(low, read, {}))
    assert '**The baseline\'s rate of "executes" is 75.0 % only**' in floored
    assert "The published sweep" not in floored
    assert '"keeps execution" says nothing' in floored
    assert '"keeps execution" says nothing' not in ablation


def test_no_digit_comes_from_words_that_templates_are_given() -> None:
    for words in (VARIES, VERDICTS, LABELS, FIGURE_VARIES):
        assert not re.search(r"\d", " ".join(words.values()))


def test_figures_are_the_same_twice_and_follow_the_data(read: Tables, tmp_path: Path) -> None:
    for draw in (draw_ablation, draw_bits):
        drawn = []
        for place in range(3):
            rows = [dict(row) for row in read["sweep"]]
            if place == 2:
                one(rows, condition="last-2")["kl"] = 0.35
                one(rows, condition="three")["kl"] = 0.35
            save_svg(draw(rows), tmp_path / f"{place}.svg")
            drawn.append((tmp_path / f"{place}.svg").read_bytes())
        assert drawn[0] == drawn[1] != drawn[2]
        save_svg(draw([]), tmp_path / "empty.svg")


def profile(kl: list[float]) -> list[dict[str, float]]:
    return [
        {
            "block": block,
            "sequence": sequence,
            "tokens": 50,
            "error_energy": 50 * value * 2,
            "output_energy": 50,
            "kl": 50 * value * (1 + 0.02 * sequence),
            "inversion_changes": 10 - block,
            "margin_changes": 50 * value**2,
        }
        for block, value in enumerate(kl)
        for sequence in range(4)
    ]


def profile_facts(sweep: SweepFacts | None = None) -> ProfileFacts:
    return ProfileFacts(sweep=sweep or facts(), condition="three", resamples=200)


U = [0.9, 0.5, 0.1, 0.1, 0.12, 0.1, 0.4, 0.8, 1.0]


def test_blocks_are_ranked_and_measures_compared() -> None:
    blocks = block_table(profile(U), profile_facts(), [], {"given": dict(enumerate(U))})
    assert measures_of(blocks) == ["weighted_error", "kl", "inversion", "margin", "given"]
    assert list(blocks["kl_rank"])[-1] == 1
    assert blocks.at[0, "weighted_error"] == pytest.approx(1.8)
    assert list(blocks[blocks["critical"]]["block"]) == [0, 1, 7, 8]
    agreement = agreement_table(blocks, profile_facts()).set_index(["measure", "other"])
    same = agreement.loc["weighted_error", "margin"]
    assert same["correlation"] == pytest.approx(1)
    assert same["same_first"]
    other = agreement.loc["kl", "inversion"]
    assert other["correlation"] == pytest.approx(spearmanr(blocks["kl"], blocks["inversion"])[0])
    assert other["low"] < other["correlation"] < other["high"]
    assert not other["same_first"]


@pytest.mark.parametrize(
    ("kl", "shape"),
    [
        (U, "U: both ends above the middle"),
        ([1, 0.8, 0.9] + [0.1] * 6, "high at the start"),
        ([0.1 * n for n in range(1, 10)], "rising with depth"),
        ([0.1 * n for n in range(9, 0, -1)], "falling with depth"),
        ([0.1] * 3 + [0.5] * 3 + [0.1] * 3, "arch: both ends below the middle"),
        ([0.3] * 9, "no shape shown"),
    ],
)
def test_the_shape_over_depth(kl: list[float], shape: str) -> None:
    table = shape_table(profile(kl), profile_facts())
    assert set(table["shape"]) == {shape}
    assert list(table["first_block"]) == [0, 3, 6]


def test_ties_are_first_together_and_what_does_not_vary_has_no_first(
    read: Tables, tmp_path: Path
) -> None:
    flat = [row | {"inversion_changes": 0} for row in profile([0.5, 0.1, 0.1, 0.5])]
    about = profile_facts()
    blocks = block_table(flat, about, [], {})
    agreement = agreement_table(blocks, about)
    both = read | {
        "blocks": written(tmp_path / "blocks.csv", blocks),
        "agreement": written(tmp_path / "agreement.csv", agreement),
        "shape": written(tmp_path / "shape.csv", shape_table(flat, about)),
    }
    text = render("SENSITIVITY.md.jinja", sensitivity_context(about, both, {}))
    assert "output KL: block 0 and 3" in text
    assert "tokens that invert otherwise: nothing varies" in text
    row = one(both["agreement"], measure="kl", other="inversion")
    assert row["same_first"] is None
    assert one(both["agreement"], measure="kl", other="margin")["same_first"]


@pytest.mark.parametrize("sampled", [(), (1, 4)])
def test_outcomes_of_some_blocks_are_joined_where_they_are(
    sampled: tuple[int, ...], read: Tables, tmp_path: Path
) -> None:
    about, sweep = alone(tuple(sampled) or (2,))
    if not sampled:
        # One run: no flips are measured, and execution of one block only.
        sweep[0]["excess_flips"] = None
    blocks = block_table(profile(U[:BLOCKS]), profile_facts(about), sweep, {})
    kept = [name for name in ("execution", "flips") if name in measures_of(blocks)]
    assert kept == (["execution", "flips"] if sampled else ["execution"])
    agreement = agreement_table(blocks, profile_facts(about)).set_index(["measure", "other"])
    assert agreement.at[("kl", "execution"), "blocks"] == max(1, len(sampled))
    both = read | {
        "blocks": written(tmp_path / "blocks.csv", blocks),
        "agreement": written(tmp_path / "agreement.csv", agreement.reset_index()),
        "shape": written(tmp_path / "shape.csv", shape_table(profile(U), profile_facts())),
    }
    save_svg(draw_profile(both["blocks"], LABELS), tmp_path / "profile.svg")
    text = render("SENSITIVITY.md.jinja", sensitivity_context(profile_facts(), both, {}))
    assert f"sampled for these blocks: {' and '.join(map(str, sampled or (2,)))}." in text
    assert not UNDEFINED.search(text), UNDEFINED.search(text)


def alone(blocks: tuple[int, ...]) -> tuple[SweepFacts, list[dict[str, Any]]]:
    """Facts and rows of a sweep that compresses each of some blocks alone."""
    members = tuple(
        member(
            f"only-{block}",
            family="only",
            varies="only",
            reused="three",
            protected=tuple(other for other in range(BLOCKS) if other != block),
        )
        for block in blocks
    )
    names = [each.name for each in members]
    about = facts(members=members, conditions=names, baseline=names[0])
    ends = dict.fromkeys(
        [f"{name}_{end}" for name in ("executes_change", "excess_flips") for end in ("low", "high")]
    )
    sweep = [
        {"condition": name, "executes_change": -0.1 * block, "excess_flips": 0.01 * block, **ends}
        for block, name in zip(blocks, names, strict=True)
    ]
    return about, sweep


def test_outcomes_of_single_blocks_are_joined_and_lost_execution_is_importance() -> None:
    about, sweep = alone(tuple(range(BLOCKS)))
    blocks = block_table(profile(U[:BLOCKS]), profile_facts(about), sweep, {})
    assert list(blocks["execution_rank"]) == list(range(BLOCKS, 0, -1))
    assert list(blocks["flips_rank"]) == list(range(BLOCKS, 0, -1))


def test_the_sensitivity_document(read: Tables, tmp_path: Path) -> None:
    about = profile_facts()
    given = {"share_lost": dict(enumerate(U))}
    blocks = block_table(profile(U), about, [], given)
    both = read | {
        "blocks": written(tmp_path / "blocks.csv", blocks),
        "agreement": written(tmp_path / "agreement.csv", agreement_table(blocks, about)),
        "shape": written(tmp_path / "shape.csv", shape_table(profile(U), about)),
    }
    text = render("SENSITIVITY.md.jinja", sensitivity_context(about, both, {}))
    assert "Shape over depth: **U: both ends above the middle**" in text
    assert "by Holm's method): 0, 1, 7, 8." in text
    assert "output KL: block 8" in text
    assert "tokens that invert otherwise: block 0" in text
    assert "Task outcomes of single blocks were not sampled" in text
    assert not UNDEFINED.search(text), UNDEFINED.search(text)
    for place in range(2):
        save_svg(draw_profile(both["blocks"], LABELS), tmp_path / f"{place}.svg")
    assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "1.svg").read_bytes()
