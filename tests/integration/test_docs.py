"""The commands of the documents, run as they stand beside a finished tiny experiment.

`STAND_INS` names what stands in for the default model and experiment. A block whose first line is a
comment with a path becomes that file, and a diff is applied, as a reader would do.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from goodhart_gap.config import rule_graph
from tests.documentation import PAGES, ROOT, Block, blocks
from tests.integration.workshop import Workshop

pytestmark = pytest.mark.workflow

STAND_INS = {"smollm2-n100": "tiny-n40", "smollm2-135m": "tiny"}
"""What the documents name, and what is finished here in its place."""


class Bench:
    """A copy of a finished workshop whose own experiment is the default one."""

    def __init__(self, folder: Path, finished: Workshop) -> None:
        shutil.copytree(finished.folder, folder, symlinks=True)
        self.folder = folder
        finished.command()
        shutil.copy2(finished.folder / "tiny.yaml", folder / "config/config.yaml")
        programs = folder / "programs"
        programs.mkdir()
        for name, module in (("snakemake", "snakemake"), ("goodhart-gap", "goodhart_gap.cli")):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
            program.chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "src"),
        }

    def follow(self, block: Block) -> None:
        """Do what a reader of a block would do."""
        text = block.text
        for name, stand_in in STAND_INS.items():
            text = text.replace(name, stand_in)
        if block.file:
            (self.folder / block.file).write_text(text, encoding="utf-8")
        elif block.language == "diff":
            self.patch(text)
        elif block.mark == "run":
            self.run(["bash", "-euo", "pipefail", "-c", text], block)

    def patch(self, text: str) -> None:
        """Apply a diff whose hunks have no line numbers: each is found by its lines."""
        for part in re.split(r"^--- .*\n\+\+\+ ", text, flags=re.MULTILINE)[1:]:
            path, *hunks = re.split(r"\n@@\n", part)
            file = self.folder / path.removeprefix("b/")
            for hunk in hunks:
                lines = [(line[:1], line[1:]) for line in hunk.splitlines()]
                old, new = (
                    "\n".join(line for sign, line in lines if sign != other) for other in "+-"
                )
                content = file.read_text(encoding="utf-8")
                assert content.count(old) == 1, f"{path} does not hold once:\n{old}"
                file.write_text(content.replace(old, new), encoding="utf-8")

    def run(self, command: list[str], block: Block) -> None:
        """Run a command, and fail with what it printed where it fails."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{block.text}\n{done.stdout}"

    def table(self, path: str) -> list[dict[str, str]]:
        """Read a table of the results."""
        with (self.folder / "results" / path).open(newline="") as handle:
            return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, finished_session: Workshop) -> Bench:
    """A bench on which every page has been followed."""
    finished_session.config = Workshop.tiny_config()
    bench = Bench(tmp_path_factory.mktemp("documents") / "bench", finished_session)
    for page in PAGES:
        for block in blocks(page):
            bench.follow(block)
    return bench


def test_a_task_of_ones_own_is_graded_rightly(bench: Bench) -> None:
    rows = bench.table("mine/tables/graders.csv")
    ours = [row for row in rows if row["grader"] == "concepts" and row["set"] == "suite"]
    assert {row["role"] for row in ours} == {"execution", "explanation"}
    assert all(int(row["to_accept"]) > 0 and int(row["to_reject"]) > 0 for row in ours)
    assert {(row["wrongly_accepted"], row["wrongly_rejected"]) for row in ours} == {("0", "0")}


def test_a_model_of_ones_own_is_fetched(bench: Bench) -> None:
    base = bench.folder / "results/models/my-model/base"
    assert json.loads((base / "config.json").read_text())["num_hidden_layers"] == 4
    assert (base / "tokenizer.json").is_file()


def test_a_method_of_ones_own_compresses_better_than_the_one_it_refines(bench: Bench) -> None:
    own = bench.table("models/tiny/searched/fidelity.csv")
    assert len(own) == 4 * 7
    assert all(float(row["correlation"]) > 0.9 for row in own)


def test_a_grader_of_ones_own_is_measured(bench: Bench) -> None:
    rows = bench.table("tiny-n40/tables/graders.csv")
    assert {row["grader"] for row in rows} == {"concepts", "legacy", "whole", "second reader"}


def test_the_rule_graph_is_the_workflows() -> None:
    page = (ROOT / rule_graph.PAGE).read_text(encoding="utf-8")
    assert page == rule_graph.page_text(ROOT)
