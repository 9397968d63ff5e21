import re
from pathlib import Path

import pytest

import goodhart_gap.analysis
from goodhart_gap.analysis.analysis_document import FLIP_KINDS
from goodhart_gap.analysis.audit import QUANTITIES
from goodhart_gap.analysis.audit_document import UNITS
from goodhart_gap.analysis.documents import environment, render
from goodhart_gap.analysis.estimands import ESTIMANDS, quadrant_estimands
from goodhart_gap.analysis.outcomes import read_outcomes
from goodhart_gap.analysis.paper_document import STYLE
from goodhart_gap.analysis.variants import VARIANTS
from goodhart_gap.errors import GoodhartError
from tests.unit.analysis.workshop import (
    RECORDS,
    analyse,
    evaluation,
    random_outcomes,
    table_of,
    write_record_outcomes,
)

TEMPLATES = Path(goodhart_gap.analysis.__file__).parent / "templates"
LABELS = {
    **{each.name: each.label for each in (*ESTIMANDS, *quadrant_estimands())},
    **{f"undefined {each.name}": each.undefined for each in ESTIMANDS},
    **{name: label for name, (label, _) in QUANTITIES.items()},
}
UNDEFINED = re.compile(r"\b(nan|none|inf|undefined)\b", re.IGNORECASE)


@pytest.mark.parametrize("template", sorted(TEMPLATES.iterdir()), ids=lambda path: path.name)
def test_no_digit_comes_from_a_template(template):
    text = template.read_text()
    printed = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", text, flags=re.DOTALL)
    assert not re.findall(r".*\d.*", printed)
    # Nor from a constant inside an expression, whether text or number.
    for expression in re.findall(r"\{[{%](.*?)[%}]\}", text, flags=re.DOTALL):
        assert not re.search(r"\d", expression), expression


@pytest.mark.parametrize("words", [VARIANTS, UNITS, FLIP_KINDS, LABELS])
def test_no_digit_comes_from_words_that_templates_are_given(words):
    assert not re.findall(r".*\d.*", "\n".join(words.values()))


def test_the_manuscripts_style_prints_no_digit_of_its_own():
    content = re.findall(r"\[([^\[\]]*)\]", STYLE.read_text())
    assert content
    for text in content:
        assert not re.search(r"\d", text), text


def facts_outcomes(folder, changes=None):
    text = (RECORDS / "published-n100.csv").read_text()
    for before, after in (changes or {}).items():
        assert text.count(before) == 1
        text = text.replace(before, after)
    record = folder / "facts.csv"
    record.write_text(text)
    return read_outcomes(write_record_outcomes(record, folder / "outcomes", 5))


def numbered_lines(text):
    """Every line of a document by (section, line above its table, names in the line)."""
    lines, section, above = {}, "", ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            names = [cell for cell in cells[:3] if not re.search(r"\d", cell)]
            lines[(section, above, *names)] = line
        elif line:
            above = re.sub(r"[-+]?\d[\d.]*", "#", line)
            lines[(section, above)] = line
    return lines


def changed_names(before, after, section):
    """The names of the lines of a section that differ (or are on one side only), joined."""
    one, two = numbered_lines(before), numbered_lines(after)
    keys = [key for key in one | two if one.get(key) != two.get(key) and key[0] == section]
    return {" | ".join(key[2:] or key[1:]) for key in keys}


@pytest.fixture(scope="module")
def before_and_after(tmp_path_factory):
    """The analysis of N=100, and again with a DK evaluation of selective turned into KF."""
    line = "profit_margin,financial,2,selective,0,1,correct,446"
    folders = [tmp_path_factory.mktemp(name) for name in ("before", "after")]
    return (
        analyse(facts_outcomes(folders[0]), folders[0]),
        analyse(facts_outcomes(folders[1], {line: line.replace(",0,1,", ",1,0,")}), folders[1]),
    )


RATES = ("DBDK, DK/(KD+DK)", "gap rate, KF/(KD+KF)", "understands", "executes")
CHANGED_ESTIMANDS = (
    *RATES,
    "dissociation, understands less executes",
    "understands, pairs both executed",
    "share of KF",
    "share of DK",
)


def test_a_changed_outcome_changes_the_summary(before_and_after):
    changed = changed_names(*before_and_after, "Summary")
    assert "selective" in changed
    sentences = [name for name in changed if name.startswith("- selective")]
    assert len(sentences) == 2
    assert len(changed) == 3


def test_a_changed_outcome_changes_every_number_of_its_condition(before_and_after):
    assert changed_names(*before_and_after, "Quadrants") == {"selective"}
    expected = {f"selective | {rate}" for rate in RATES}
    assert changed_names(*before_and_after, "Rates") == expected
    differences = changed_names(*before_and_after, "Paired differences against baseline")
    assert {name.rsplit(" | ", 1)[0] for name in differences if "share of" in name} == {"selective"}
    for estimand in CHANGED_ESTIMANDS:
        assert f"selective | {estimand}" in differences
    assert not [name for name in differences if name.startswith("uniform")]


def test_a_changed_outcome_changes_transitions_flips_and_counts(before_and_after):
    flips = changed_names(*before_and_after, "Transitions and flips")
    assert flips == {
        "KD",
        "DK",
        "selective | two of its own runs",
        "selective | baseline, same run",
        "selective | baseline, other run",
        "selective | other run less the noise floor, points | -",
    } - {"KD"}
    assert changed_names(*before_and_after, "By task") == {"financial | profit_margin"}
    assert changed_names(*before_and_after, "By category") == {
        "financial",
        "selective | financial | understands",
        "selective | financial | executes",
    }
    assert changed_names(*before_and_after, "Responses") == set()


def test_the_analysis_says_what_a_small_model_cannot_show(tmp_path):
    rows = [
        evaluation(
            f"t{task}",
            condition,
            understands=task < 2,
            executes=task < 1 and condition != "broken",
            run=run,
        )
        for task in range(20)
        for condition in ("baseline", "broken")
        for run in range(2)
    ]
    for row in rows:
        row["explanation_truncated"] = 1
        row["execution_truncated"] = 0
    text = analyse(table_of(rows), tmp_path)
    assert "(135 million parameters)" in text
    assert "The baseline executes in 5.0 % of evaluations only" in text
    assert "broken: DBDK, DK/(KD+DK) is n/a (no executed task)" in text
    assert "20 tasks here, fewer than the 30 that a verdict requires" in text
    assert "40 of 40 explanation responses (100.0 %) were cut at the token limit" in text
    assert "execution responses" not in text.split("## Method")[0]
    assert not UNDEFINED.search(text)


def missing_run():
    return random_outcomes(tasks=4, runs=2).drop(index=[3])


def several_seeds():
    rows = [
        evaluation(f"t{task}", condition, understands=task > seed, executes=True, seed=seed)
        for seed in (1, 2)
        for task in range(4)
        for condition in ("baseline", "uniform")
    ]
    return table_of(rows)


def test_missing_runs_are_named(tmp_path):
    assert "1 of 8 evaluations are missing" in analyse(missing_run(), tmp_path)


def test_seed_families_are_shown(tmp_path):
    text = analyse(several_seeds(), tmp_path)
    assert "## Between seed families" in text
    assert "One seed family was run" not in text


def test_a_value_that_skips_the_filters_stops_the_document():
    template = environment().from_string("{{ value }}")
    for value in (0.358, None):
        with pytest.raises(GoodhartError, match="without a filter"):
            template.render(value=value)


def test_an_unknown_name_stops_the_document():
    with pytest.raises(Exception, match="undefined"):
        render("ANALYSIS.md.jinja", {})
