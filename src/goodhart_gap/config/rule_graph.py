"""The rule graph of docs/ARCHITECTURE.md, drawn from the workflow itself.

    python -m goodhart_gap.config.rule_graph

asks Snakemake for the graph of rules of all targets and writes it between two marks of the page, as
a Mermaid diagram, which forges draw; a test fails when the page differs from what this would write.
Targets are left out, and so is every arrow that a longer way through other rules implies.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import write_text

PAGE = Path("docs/ARCHITECTURE.md")
TARGETS = ("all", "published", "sensitivity", "ablation", "bits")
MARKS = ("<!-- rule graph, made by `make docs` -->\n", "<!-- end of the rule graph -->\n")

_NODE = re.compile(r"^\s*(id\d+)\[(.+)\]$", re.MULTILINE)
_ARROW = re.compile(r"^\s*(id\d+) --> (id\d+)$", re.MULTILINE)
_RULE = re.compile(r"^(?:rule|use rule \w+ as) (\w+)", re.MULTILINE)
_INCLUDE = re.compile(r'include: "(rules/(\w+)\.smk)"')

Arrows = set[tuple[str, str]]


def page_text(root: Path = Path()) -> str:
    """Return the page with the graph of the workflow below `root`."""
    text = (root / PAGE).read_text(encoding="utf-8")
    before, mark, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (mark and end):
        raise GoodhartError(f"{PAGE}: the marks around the rule graph are gone; put them back.")
    return f"{before}{mark}\n```mermaid\n{diagram(root)}```\n\n{end}{after}"


def diagram(root: Path) -> str:
    """Return the Mermaid diagram: a box a rule, the rules of a file framed together."""
    stages = rules_by_file(root)
    known = {rule for rules in stages.values() for rule in rules}
    arrows = without_shortcuts({pair for pair in read_arrows(root) if set(pair) <= known})
    drawn = {rule for arrow in arrows for rule in arrow}
    lines = ["flowchart TB"]
    for stage, rules in stages.items():
        inside = [f"    {rule}" for rule in rules if rule in drawn]
        lines += [f"  subgraph {stage}.smk", *inside, "  end"] if inside else []
    return "\n".join([*lines, *(f"  {first} --> {last}" for first, last in sorted(arrows))]) + "\n"


def rules_by_file(root: Path) -> dict[str, list[str]]:
    """Return the rules of each file of rules/, in the order the Snakefile includes them."""
    snakefile = (root / "Snakefile").read_text(encoding="utf-8")
    return {
        stage: _RULE.findall(_with_import((root / path).read_text(encoding="utf-8")))
        for path, stage in _INCLUDE.findall(snakefile)
    }


def read_arrows(root: Path) -> Arrows:
    """Return which rule's outputs which rule reads, as Snakemake tells it."""
    command = [sys.executable, "-m", "snakemake", "--forceall", "--rulegraph", "mermaid-js"]
    told = subprocess.run(
        [*command, *TARGETS], cwd=root, capture_output=True, text=True, check=False
    )
    if told.returncode:
        raise GoodhartError(f"snakemake --rulegraph: {told.stderr.strip().splitlines()[-1]}")
    # The rules that read records, one an experiment, are one to a reader.
    names = {
        node: re.sub(r"^import_published-.*", "import_outcomes", name)
        for node, name in _NODE.findall(told.stdout)
    }
    return {(names[first], names[last]) for first, last in _ARROW.findall(told.stdout)}


def without_shortcuts(arrows: Arrows) -> Arrows:
    """Leave out each arrow whose end a longer way reaches."""
    kept = set(arrows)
    for first, last in sorted(arrows):
        if last in _reached(first, kept - {(first, last)}):
            kept.remove((first, last))
    return kept


def _reached(start: str, arrows: Arrows) -> set[str]:
    def beyond(rules: set[str]) -> Iterator[str]:
        return (last for first, last in arrows if first in rules)

    found, new = {start}, {start}
    while new:
        new = set(beyond(new)) - found
        found |= new
    return found


def _with_import(text: str) -> str:
    """Give the rules that are made in a loop, one a recorded experiment, their common name."""
    return text.replace('f"import_{RECORDED}"', "\nrule import_outcomes")


if __name__ == "__main__":
    write_text(PAGE, page_text())
