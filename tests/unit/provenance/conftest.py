"""A tiny workflow of three jobs, run through the real Script class."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

SCRIPTS = {
    "freeze": """
        script.input("--source")
        script.output("--tasks")

        def main(args):
            args.tasks.write_text(args.source.read_text().upper())
    """,
    "observe": """
        script.input("--tasks")
        script.output("--trace", temporary=True)
        script.value("--seed", int)

        def main(args):
            args.trace.write_text(f"trace of {args.seed}")
    """,
    "sample": """
        script.input("--tasks")
        script.output("--responses")
        script.settings("--sampling", SamplingSettings)
        script.value("--seed", int)
        script.value("--threads", int, hint=True)

        def main(args):
            text = args.tasks.read_text()
            args.responses.write_text(f"{text} at {args.sampling.temperature}, {args.seed}")
    """,
    "count": """
        script.input("--responses", many=True)
        script.input("--trace")
        script.output("--table")

        def main(args):
            rows = [f"{path.stem},{len(path.read_text()) / 7}" for path in args.responses]
            args.table.write_text("name,rate\\n" + "\\n".join(rows) + "\\n")
    """,
}

HEAD = '''"""A script of the tiny workflow."""
from goodhart_gap.evaluation.settings import SamplingSettings
from goodhart_gap.script import Script

script = Script(__doc__)
'''

TAIL = """

if __name__ == "__main__":
    script.run(main)
"""


class Project:
    """A folder with scripts, and `results/` made by running them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "scripts").mkdir()
        for name, body in SCRIPTS.items():
            self.script(name, body)
        (folder / "tasks.txt").write_text("two tasks")

    def script(self, name: str, body: str) -> None:
        text = HEAD + textwrap.dedent(body) + TAIL
        (self.folder / "scripts" / f"{name}.py").write_text(text)

    def run(self, name: str, *words: str, check: bool = True, **environment: str):
        result = subprocess.run(
            [sys.executable, f"scripts/{name}.py", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")} | environment,
        )
        assert not check or result.returncode == 0, result.stderr
        return result

    def freeze(self):
        return self.run("freeze", "--source", "tasks.txt", "--tasks", "results/tasks.txt")

    def observe(self, seed: str = "42"):
        files = ("--tasks", "results/tasks.txt", "--trace", "results/trace.txt")
        return self.run("observe", *files, "--seed", seed)

    def sample(self, seed: str = "42", temperature: str = "0.3"):
        return self.run(
            "sample",
            *("--tasks", "results/tasks.txt", "--responses", f"results/responses/{seed}.txt"),
            *("--seed", seed, "--threads", "1"),
            *("--sampling", f'{{"temperature": {temperature}}}'),
        )

    def count(self):
        return self.run(
            "count",
            *("--responses", "results/responses/42.txt", "--trace", "results/trace.txt"),
            *("--table", "results/tables/counts.csv"),
        )

    def all(self):
        self.freeze()
        self.observe()
        self.sample()
        self.count()
        (self.folder / "results/trace.txt").unlink()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The tiny project, nothing run yet."""
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    made = Project(tmp_path_factory.mktemp("made"))
    made.all()
    return made.folder


@pytest.fixture
def finished(project, made_once):
    """The tiny project with its finished results, modification times included."""
    shutil.copytree(made_once, project.folder, dirs_exist_ok=True)
    return project


SNAKEFILE = """
import json
from pathlib import Path

from goodhart_gap.provenance.code_digest import code_digest

SCRIPTS = Path(workflow.basedir) / "scripts"
SEEDS = config.get("seeds", [42, 7])
SAMPLING = json.dumps({"temperature": config.get("temperature", 0.3)})


def digest(script):
    return code_digest(script, SCRIPTS)


rule all:
    input: "results/tables/counts.csv"


rule freeze:
    input: source="tasks.txt"
    output: tasks="results/tasks.txt"
    params: code=digest("freeze")
    shell: "python scripts/freeze.py --source {input.source} --tasks {output.tasks}"


rule observe:
    input: tasks="results/tasks.txt"
    output: trace=temp("results/traces/{seed}.txt"),
    params: code=digest("observe")
    shell:
        "python scripts/observe.py --tasks {input.tasks} --trace {output.trace} "
        "--seed {wildcards.seed}"


rule sample:
    input: tasks="results/tasks.txt"
    output: responses="results/responses/{seed}.txt"
    params: code=digest("sample"), sampling=SAMPLING
    threads: 2
    resources: runtime=10, mem_mb=100
    shell:
        "python scripts/sample.py --tasks {input.tasks} --responses {output.responses} "
        "--seed {wildcards.seed} --threads {threads} --sampling {params.sampling:q}"


rule count:
    input:
        responses=expand("results/responses/{seed}.txt", seed=SEEDS),
        trace="results/traces/42.txt",
    output: table="results/tables/counts.csv"
    params: code=digest("count")
    shell:
        "python scripts/count.py --responses {input.responses} --trace {input.trace} "
        "--table {output.table}"
"""


class Workflow(Project):
    """The tiny project with a Snakefile."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "Snakefile").write_text(SNAKEFILE)

    def snakemake(self, *options: str) -> str:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *options]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
        result = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, env=environment
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr


@pytest.fixture
def workflow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Workflow(tmp_path)


@pytest.fixture(scope="session")
def run_once(tmp_path_factory):
    """A folder in which the tiny workflow has run."""
    made = Workflow(tmp_path_factory.mktemp("run"))
    made.snakemake("--quiet", "all")
    return made.folder


@pytest.fixture
def clone(workflow, run_once):
    """A clone with the results of another, all modification times new, no Snakemake metadata."""
    shutil.copytree(run_once / "results", workflow.folder / "results", copy_function=shutil.copy)
    os.utime("results/tasks.txt")
    return workflow
