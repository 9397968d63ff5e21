"""Which edit makes which rules stale: the table of docs/PROVENANCE.md, measured."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from goodhart_gap.provenance.adopt import adopt, judge
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.graph import read_graph
from tests.integration.workshop import ROOT, Workshop

pytestmark = pytest.mark.workflow

ANALYSIS = {
    "aggregate",
    "simulate_power",
    "test_hypotheses",
    "draw_figures",
    "write_analysis",
}
SCORING = {"score_responses", *ANALYSIS}
SAMPLING = {"sample_responses", *SCORING}


def replace(path: str, old: str, new: str) -> Callable[[Workshop], None]:
    """Return an edit of the first occurrence of `old` in a file."""

    def edit(workshop: Workshop) -> None:
        file = workshop.folder / path
        text = file.read_text()
        assert old in text, f"{path} no longer holds {old!r}"
        file.write_text(text.replace(old, new, 1))

    return edit


def append(path: str, text: str) -> Callable[[Workshop], None]:
    """Return an edit that adds text at the end of a file (made if there is none)."""

    def edit(workshop: Workshop) -> None:
        with (workshop.folder / path).open("a") as handle:
            handle.write(text)

    return edit


def touch(*paths: str) -> Callable[[Workshop], None]:
    """Return an edit that only changes modification times."""

    def edit(workshop: Workshop) -> None:
        for path in paths:
            os.utime(workshop.folder / path)

    return edit


def sampling(key: str, value: object) -> Callable[[Workshop], None]:
    """Return a change of the experiment's sampling."""

    def edit(workshop: Workshop) -> None:
        workshop.experiment["sampling"][key] = value

    return edit


def other_seed(workshop: Workshop) -> None:
    """Sample from another seed."""
    workshop.experiment["seeds"] = [43]


def lower_rank(workshop: Workshop) -> None:
    """Give one condition another rank."""
    workshop.config["conditions"]["uniform"]["compress"]["rank"] = 2


def reclone(workshop: Workshop) -> None:
    """Lose Snakemake's metadata and every modification time, then adopt."""
    shutil.rmtree(workshop.folder / ".snakemake")
    for path in (workshop.folder / "results").rglob("*"):
        os.utime(path)
    workshop.command()
    options = ["--configfile", "tiny.yaml"]
    chain = read_chain(Path("results"))
    graph = read_graph(options)
    adopt(judge(graph, chain), graph, chain, options)


TASKS = "config/tasks/original-20.yaml"

# In the order data flows; Snakemake's own table lists jobs in any order.
RULES = (
    "freeze_prompts",
    "freeze_tasks",
    "validate_graders",
    "allocate",
    "compress_shard",
    "assemble",
    "sample_responses",
    "score_responses",
    "aggregate",
    "simulate_power",
    "test_hypotheses",
    "draw_figures",
    "write_analysis",
)

EDITS: dict[str, tuple[Callable[[Workshop], None], set[str]]] = {
    "the wording of a task": (
        replace(TASKS, "A shirt is priced at $25.", "A shirt costs $25."),
        {"freeze_prompts", "freeze_tasks", "validate_graders", *SAMPLING},
    ),
    "a concept of a rubric": (
        replace(TASKS, "name: subtract the coupon", "name: take off the coupon"),
        {"freeze_tasks", "validate_graders", *SCORING},
    ),
    "the temperature": (sampling("temperature", 0.5), SAMPLING),
    "the seed": (other_seed, SAMPLING),
    "the rank of one condition": (
        lower_rank,
        {"allocate", "compress_shard", "assemble", *SAMPLING},
    ),
    "code of the grader": (
        append("src/goodhart_gap/evaluation/answers.py", "X = 1\n"),
        {"freeze_tasks", "validate_graders", *SCORING},
    ),
    "a figure's colour": (
        append("src/goodhart_gap/analysis/figures/style.py", 'X = "#123456"\n'),
        {"draw_figures", "write_analysis"},
    ),
    "a comment in the compression": (
        append("src/goodhart_gap/compression/caldera.py", "# A remark.\n"),
        set(),
    ),
    "a docstring in the sampler": (
        append("src/goodhart_gap/evaluation/sampler.py", '"""A remark."""\n'),
        set(),
    ),
    "a module no script reaches": (append("src/goodhart_gap/unreached.py", "X = 1\n"), set()),
    "how a manifest is written": (
        append("src/goodhart_gap/provenance/record.py", "X = 1\n"),
        set(),
    ),
    "the time of a source and of a result": (
        touch(TASKS, "results/tiny-n40/tasks.jsonl", "results/models/tiny/base/config.json"),
        set(),
    ),
    "a new clone, adopted": (reclone, set()),
}


@pytest.fixture
def edited(
    finished: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], dict[str, int]]:
    """Return a function that makes a named edit in a copy and lists the jobs that would run."""

    def plan(name: str) -> dict[str, int]:
        folder = tmp_path / re.sub(r"\W+", "-", name)
        copy = finished.copied_to(folder)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("PYTHONPATH", str(folder / "src"))
        EDITS[name][0](copy)
        return copy.planned()

    return plan


def test_edits_make_stale_what_the_table_says(edited: Callable[[str], dict[str, int]]) -> None:
    rows = ["| edit | jobs of the tiny experiment that rerun |", "|---|---|"]
    found = {name: edited(name) for name in EDITS}
    for name, planned in found.items():
        shown = ", ".join(f"{rule} ({planned[rule]})" for rule in RULES if rule in planned)
        rows.append(f"| {name} | {shown or 'none'} |")
    assert {name: set(planned) for name, planned in found.items()} == {
        name: rules for name, (_, rules) in EDITS.items()
    }
    table = "\n".join(rows)
    page = (ROOT / "docs/PROVENANCE.md").read_text()
    assert table in page, f"put this table into docs/PROVENANCE.md:\n{table}"
