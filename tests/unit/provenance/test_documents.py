import re
import sys
from functools import partial
from pathlib import Path

import pytest

from goodhart_gap.cli import main
from goodhart_gap.provenance import documents
from goodhart_gap.provenance.cells import Cells, argument_cells, printed_numbers, table_cells
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.code_digest import _read, code_digest, code_parts
from goodhart_gap.provenance.trace import find_numbers
from goodhart_gap.provenance.verify import verify

REPORT = """
        import csv

        script.input("--table")
        script.output("--document")
        script.value("--confidence", float)

        def main(args):
            rows = list(csv.DictReader(args.table.open()))
            lines = [f"| {row['name']} | {100 * float(row['rate']):.1f} % |" for row in rows]
            args.document.write_text(
                "# Rates\\n\\n| name | rate |\\n|---|---|\\n" + "\\n".join(lines)
                + f"\\n\\nIntervals cover {args.confidence:.0%}, see `v1.2`.\\n"
            )
"""


@pytest.fixture
def reported(finished, monkeypatch):
    """Finished results with a document, and its script where the package looks for scripts."""
    monkeypatch.setattr(documents, "SCRIPTS", finished.folder / "scripts")
    digest = partial(code_digest, folder=finished.folder / "scripts")
    monkeypatch.setattr(documents, "code_digest", digest)
    finished.script("report", REPORT)
    finished.run(
        "report",
        *("--table", "results/tables/counts.csv", "--document", "results/REPORT.md"),
        *("--confidence", "0.95"),
    )
    return finished


def breaks(**options) -> list[str]:
    return [str(item) for item in verify(read_chain(Path("results")), **options).breaks]


def test_numbers_are_read_as_printed():
    text = "\n".join(
        [
            "# Results of 4-bit smollm2-n100",
            "",
            "| condition | rate | change |",
            "|---|---|---|",
            "| uniform | 24/67 = 35.8 % | -0.5 |",
            "See [table 3](tables/t17.csv), `seed42` and 1,234 tokens.",
        ]
    )
    found = printed_numbers(text)
    assert [number.text for number in found] == ["24", "67", "35.8 %", "-0.5", "3", "1,234"]
    percent = found[2]
    assert (percent.line, percent.value, percent.percent) == (5, 35.8, True)
    assert {"uniform", "rate", "results"} <= percent.context
    assert found[-1].value == 1234


@pytest.mark.parametrize(
    ("printed", "value", "shown"),
    [
        ("35.8 %", 24 / 67, True),
        ("35.9 %", 24 / 67, False),
        ("35.8", 0.358209, True),
        ("-0.5", -0.0053, True),
        ("-0.6", -0.0053, False),
        ("3.90", 3.8966, True),
        ("24", 24.0, True),
        ("24 %", 24.0, False),
        ("135 million", 134515008.0, True),
        ("1.5 thousand", 1444.0, False),
    ],
)
def test_a_number_shows_a_cell_that_rounds_to_it(printed, value, shown):
    (number,) = printed_numbers(printed)
    cells = Cells(argument_cells({"x": value}))
    assert cells.has(number) is shown
    assert bool(cells.matching(number)) is shown


def test_a_number_within_a_text_argument_is_one_of_the_jobs():
    described = {"conditions": {"tight": "caldera, 3 bit in groups of 64, rank 32 at 4 bit"}}
    cells = Cells(argument_cells(described))
    printed = printed_numbers("- tight: caldera, 3 bit in groups of 64, rank 32 at 4 bit. Also 65.")
    assert [number.text for number in printed if not cells.has(number)] == ["65"]


def test_the_cell_that_shares_the_words_of_the_line_comes_first(tmp_path):
    table = tmp_path / "rates.csv"
    table.write_text("condition,rate,estimate,low\nbaseline,dbdk,0.35,0.1\nuniform,dbdk,0.35,0.2\n")
    cells = Cells(table_cells(table, "rates.csv"))
    (number,) = printed_numbers("The estimate of dbdk, uniform: 35.0 %")
    assert [(cell.row, cell.column) for cell in cells.matching(number)] == [
        (2, "estimate"),
        (1, "estimate"),
    ]


def test_a_true_document_is_read_and_rendered_again(reported):
    result = verify(read_chain(Path("results")))
    assert (result.breaks, result.documents, result.rendered) == ([], 1, 1)


def test_a_document_of_changed_code_is_read_only(reported):
    script = Path("scripts/report.py")
    script.write_text(script.read_text().replace("# Rates", "# All rates"))
    _read.cache_clear()
    code_parts.cache_clear()
    result = verify(read_chain(Path("results")))
    assert (result.breaks, result.documents, result.rendered) == ([], 1, 0)


def test_a_number_that_no_cell_shows_is_named(reported):
    body = REPORT.replace("float(row['rate']):.1f} %\"", "float(row['rate']) + 3:.1f} %\"")
    reported.script("report", body.replace('f"| {row', 'f"| 17.25 {row'))
    reported.run(
        "report",
        *("--table", "results/tables/counts.csv", "--document", "results/REPORT.md"),
        *("--confidence", "0.95"),
    )
    (found,) = breaks(render=False)
    assert re.fullmatch(
        r"results/REPORT\.md: prints numbers that no cell of its tables shows: 17\.25 \(line 5\).*",
        found,
    )


def test_a_document_that_its_tables_do_not_give_is_named(reported):
    marker = Path("marker")
    marker.write_text("")
    body = REPORT.replace("# Rates", "# Rates{Path('marker').read_text()}").replace(
        '"# Rates', 'f"# Rates'
    )
    reported.script(
        "report", body.replace("import csv", "import csv\n        from pathlib import Path")
    )
    words = ("--table", "results/tables/counts.csv", "--document", "results/REPORT.md")
    reported.run("report", *words, "--confidence", "0.95")
    assert breaks() == []
    marker.write_text(" again")
    assert breaks() == ["results/REPORT.md: its tables give another text: line 1 differs"]


def test_only_the_wrong_file_is_named(reported):
    Path("results/tables/counts.csv").write_text("name,rate\n42,99.5\n")
    (found,) = breaks()
    assert found.startswith("results/tables/counts.csv: its bytes changed")


def test_trace_goes_from_a_number_to_the_source(reported, monkeypatch, capsys):
    words = ["results/REPORT.md", "% |", "--picture", "chain.svg"]
    monkeypatch.setattr(sys, "argv", ["goodhart-gap", "trace", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "results/REPORT.md, line 5: " in shown
    assert "results/tables/counts.csv: row 1 (" in shown
    steps = re.findall(r"^(\w+): \d+ files", shown, re.M)
    assert steps[0] == "report"
    assert steps[-1] == "sources"
    assert set(steps) == {"report", "count", "observe", "sample", "freeze", "sources"}
    assert "(temporary, gone)" in shown
    picture = Path("chain.svg").read_text()
    assert picture.count("<rect") == 1 + len(steps)
    assert ">tasks.txt<" in picture


def test_trace_of_absent_words_is_one_sentence(reported, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["goodhart-gap", "trace", "results/REPORT.md", "nowhere"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == (
        "error: results/REPORT.md: no line holds 'nowhere'; quote it as the document prints it."
    )


def test_the_head_of_a_column_means_its_numbers(reported):
    chain = read_chain(Path("results"))
    found = find_numbers(chain, "results/REPORT.md", "RATE")
    assert {(number.line, number.column) for number, _ in found} == {(5, "rate")}
    assert [cells[0].column for _, cells in found] == ["rate"]
    assert find_numbers(chain, "results/REPORT.md", "Intervals cover")[0][0].text == "95%"
