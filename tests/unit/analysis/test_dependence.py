"""One outcome changed in the facts changes every number of every document that rests on it.

Two witnesses: the tables (each changed cell that a document prints must be printed anew, and no
line may change without such a cell), and counts made here from the facts alone, which also find a
number that never came from a table.
"""

import csv
import difflib
import re
from collections import Counter

import pytest

from tests.unit.analysis.publication import DOCUMENTS, RUNS, Publication, publish
from tests.unit.analysis.workshop import RECORDS

BEFORE = "profit_margin,financial,2,selective,0,1,correct,446"
AFTER = "profit_margin,financial,2,selective,1,0,correct,446"
NUMBER = re.compile(r"(?:< )?[-+]?\d[\d.,]*\d|[-+]?\d")


@pytest.fixture(scope="module")
def publications(tmp_path_factory):
    """The record as published, and with a DK evaluation of selective turned into KF."""
    folder = tmp_path_factory.mktemp("publications")
    text = (RECORDS / "published-n100.csv").read_text()
    assert text.count(BEFORE) == 1
    made = []
    for name, facts in (("before", text), ("after", text.replace(BEFORE, AFTER))):
        (folder / name).mkdir()
        record = folder / name / "facts.csv"
        record.write_text(facts)
        records = {"published-n100": record, "published-n20": RECORDS / "published-n20.csv"}
        made.append((publish(records, folder / name), list(csv.DictReader(facts.splitlines()))))
    return made


def cells(line):
    """The cells of a Markdown or Typst table row; another line is a single cell."""
    if line.startswith("|"):
        return line.strip("|").split("|")
    return line.strip().removesuffix(",").split("], [") if line.startswith("    [") else [line]


def changed_lines(before, after):
    """Pairs of (line before, line after) that differ; a line on one side only pairs with None."""
    pairs = set()
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for tag, start, end, first, last in matcher.get_opcodes():
        if tag == "equal":
            continue
        old, new = before[start:end], after[first:last]
        while old and new:
            pairs.add((old.pop(0), new.pop(0)))
        pairs |= {(line, None) for line in old} | {(None, line) for line in new}
    return pairs


def with_table(tables, other, name):
    """The tables with one of them taken from another set."""
    return Publication(tables | {name: other[name]})


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_changed_cell_that_is_printed_is_printed_anew(publications, document):
    (before, _), (after, _) = publications
    old, new = (made.render(document).splitlines() for made in (before, after))
    printed, explained = 0, set()
    changed = {line for line, _ in changed_lines(old, new)}
    differing = [name for name, rows in before.tables.items() if rows != after.tables[name]]
    assert len(differing) > 10
    for name in differing:
        alone = with_table(before.tables, after.tables, name).render(document).splitlines()
        for line, patched in changed_lines(old, alone):
            printed += 1
            explained.add(line)
            if line is None or patched is None:
                continue
            assert line in changed, f"{name} changed, this line did not: {line}"
            partners = [text for text in new if similar(text, line)]
            for then, now in zip(cells(line), cells(patched), strict=True):
                fresh = set(NUMBER.findall(now)) - set(NUMBER.findall(then))
                assert any(fresh <= set(NUMBER.findall(text)) for text in partners), (line, fresh)
    assert printed > 2
    for line in changed - explained:
        assert not NUMBER.findall(line or ""), f"changed without a changed cell: {line}"


def similar(text, line):
    """Whether two lines say the same but for their numbers and signs."""
    words = [
        re.sub(r"n/a \([a-z ]*\)|[^a-zA-Z|\[\]]", "", NUMBER.sub("", each)) for each in (text, line)
    ]
    return words[0] == words[1] or difflib.SequenceMatcher(None, *words).ratio() > 0.9


def quadrant(fact):
    """The quadrant of a fact."""
    understands, executes = fact["understands"] == "1", fact["executes"] == "1"
    return {(1, 1): "KD", (1, 0): "KF", (0, 1): "DK", (0, 0): "NN"}[(understands, executes)]


def counted(facts):
    """What the documents must say of selective, counted from the facts, by document."""
    mine = [fact for fact in facts if fact["condition"] == "selective"]
    places = {(f["condition"], f["task"], f["run"]): quadrant(f) for f in facts}
    of = Counter(quadrant(fact) for fact in mine)
    understands, executes = of["KD"] + of["KF"], of["KD"] + of["DK"]
    dbdk = f"{of['DK']}/{executes} = {100 * of['DK'] / executes:.1f} %"
    gap = f"{of['KF']}/{understands} = {100 * of['KF'] / understands:.1f} %"
    task = Counter(quadrant(fact) for fact in mine if fact["task"] == "profit_margin")
    category = Counter(quadrant(fact) for fact in mine if fact["category"] == "financial")
    stays = sum(places[("baseline", fact["task"], fact["run"])] == quadrant(fact) for fact in mine)
    names = ("KD", "KF", "DK", "NN")
    shares = " | ".join(f"{of[name]} ({100 * of[name] / len(mine):.1f} %)" for name in names)

    def triple(group):
        solved = group["KD"] + group["DK"]
        return f"{group['KD'] + group['KF']} / {solved} / {group['DK']} of {sum(group.values())}"

    moves = Counter(
        fact["task"]
        for fact in mine
        if places[("baseline", fact["task"], fact["run"])] == "DK" and quadrant(fact) == "KF"
    )
    moved = [f"{name} ({count})" if count > 1 else name for name, count in moves.items()]
    quadrants = [
        f"Pairs (same task, seed and run): {len(mine)}; in another quadrant: {len(mine) - stays}."
    ]
    quadrants += [", ".join(f"{name} {task[name]}" for name in names if task[name]) + " |"]
    quadrants += [f"- DK to KF: {moved[0]}\n"] if moved else []
    return {
        "ANALYSIS.md": [
            f"| selective | {len(mine)} | {understands} | {executes} | {dbdk} | {gap} |",
            f"| selective | {shares} |",
            f"| selective | DBDK, DK/(KD+DK) | {dbdk} |",
            f"{triple(task)} |",
            f"{triple(category)} |",
            f"| selective | baseline, same run | {len(mine) - stays}/{len(mine)} |",
        ],
        "QUADRANTS.md": quadrants,
        "AUDIT.md": [
            f"| as published | selective | DBDK | {dbdk} |",
            f"| as published | selective | gap rate | {gap} |",
            f"| DK: 15 of {of['DK']} |",
        ],
        "paper": [
            f"[selective], [DBDK, DK\\/(KD+DK)], [{dbdk}]",
            f"{100 * of['DK'] / executes:.1f} % under selective",
        ],
    }


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_documents_say_what_the_facts_give(publications, document):
    counts = [counted(facts)[document] for _, facts in publications]
    texts = [made.render(document) for made, _ in publications]
    assert counts[0] != counts[1]
    for text, mine, other in ((texts[0], *counts), (texts[1], *counts[::-1])):
        for words in mine:
            assert words in text, words
        for words in set(other) - set(mine):
            # A whole row is named, so that the same count of another task does not count.
            if words.startswith(("| selective", "| as published")):
                assert words not in text, words


def test_the_audit_recounts_every_stated_figure_of_the_condition(publications):
    """The stated figures stay; those about selective no longer agree with the facts."""
    stated = list(csv.DictReader((RECORDS / "stated.csv").read_text().splitlines()))
    for (made, facts), moved in zip(publications, (0, 1), strict=True):
        of = Counter(quadrant(fact) for fact in facts if fact["condition"] == "selective")
        recounted = {
            "dbdk_numerator": of["DK"],
            "dbdk_denominator": of["KD"] + of["DK"],
            "gap_rate_numerator": of["KF"],
            "gap_rate_denominator": of["KD"] + of["KF"],
            "understands": of["KD"] + of["KF"],
            "executes": of["KD"] + of["DK"],
        }
        differ = sum(row["verdict"] == "different" for row in made.tables["audit"])
        assert differ >= 8 + moved
        assert f"different: {differ}." in made.render("AUDIT.md")
        assert f" recomputed; {differ} differ (@audit)." in made.render("paper")
        rows = [
            row
            for row in stated
            if (row["experiment"], row["condition"]) == ("published-n100", "selective")
            and row["quantity"] in recounted
        ]
        assert rows
        lines = made.render("AUDIT.md").splitlines()
        for row in rows:
            value = recounted[row["quantity"]]
            assert (int(row["stated"]) != value) == bool(moved)
            start = f"| published-n100 | {row['about']} |"
            end = f" | {row['stated']} |" + (f" **{value}** |" if moved else "")
            found = [line for line in lines if line.startswith(start) and end in line]
            assert [line for line in found if "| selective |" in line], (row, value)


def test_the_facts_cover_every_experiment_that_is_rendered(publications):
    (before, _), _ = publications
    assert {row["experiment"] for row in before.tables["headline"]} == set(RUNS)
