"""The documents: every block runs or says why not, every command, link and path is right."""

import ast
import importlib.util
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from goodhart_gap.cli import app
from tests.documentation import (
    PAGES,
    ROOT,
    Block,
    Command,
    anchors,
    blocks,
    commands,
    indented_blocks,
    links,
    paths,
)

USAGE: Any = sys.modules[typer.BadParameter.__module__]
"""The errors of usage: typer has a click of its own."""

NEEDS = {"minutes", "hours", "gpu", "credentials", "root"}
README_LINES = 200
SCHEMA = ROOT / "config/schemas/config.schema.json"


def all_blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks(page)]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    assert indented_blocks(page) == []
    languages = {"sh", "python", "yaml", "diff", "text", "mermaid"}
    assert [str(block) for block in blocks(page) if block.language not in languages] == []


@pytest.mark.parametrize("block", all_blocks(), ids=str)
def test_commands_are_run_or_say_why_not(block: Block) -> None:
    if block.language not in ("sh", "python"):
        assert block.mark is None
        return
    assert block.mark, "mark the block: run, tested by or needs (see CONTRIBUTING.md)"
    if block.mark == "run":
        assert block.page == "README.md" or block.language == "sh"
    elif block.mark == "needs":
        assert block.value in NEEDS
    else:
        file, _, name = str(block.value).partition("::")
        module = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        functions = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{file} has no test {name}"


@pytest.mark.parametrize(
    "block", [block for block in all_blocks() if block.language == "yaml"], ids=str
)
def test_configuration_is_what_the_schema_allows(block: Block) -> None:
    content = yaml.safe_load(block.text)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    if set(content) <= set(schema["properties"]):
        jsonschema.validate(content, schema)
    else:
        # A part of an experiment.
        experiment = schema["$defs"]["LiveExperiment"]["properties"]
        assert set(content) <= set(experiment), "neither a configuration nor part of an experiment"
        for key, value in content.items():
            jsonschema.validate(value, {**experiment[key], "$defs": schema["$defs"]})


@pytest.mark.parametrize(
    "block", [block for block in all_blocks() if block.language == "python"], ids=str
)
def test_python_parses(block: Block) -> None:
    ast.parse(block.text)


def of_program(program: str) -> list[Command]:
    return [each for page in PAGES for each in commands(page) if each.words[0] == program]


@pytest.mark.parametrize("command", of_program("make"), ids=lambda each: " ".join(each.words))
def test_make_has_the_target(command: Command) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, flags=re.MULTILINE))
    assert set(command.words[1:]) <= targets, command.where


def understood(words: Sequence[str]) -> None:
    """Let the command line tool parse a command; nothing is run. Raises its error of usage."""

    def parse(command: Any, name: str, words: list[str], parent: Any) -> None:
        with command.make_context(name, words, parent=parent) as context:
            if hasattr(command, "commands"):
                # Click keeps the verb and the rest apart, and calls neither by a public name.
                rest = [*context._protected_args, *context.args]
                verb, found, rest = command.resolve_command(context, rest)
                parse(found, verb, rest, context)

    parse(typer.main.get_command(app), words[0], list(words[1:]), None)


@pytest.mark.parametrize(
    "command", of_program("goodhart-gap"), ids=lambda each: " ".join(each.words)
)
def test_the_command_line_tool_understands(command: Command) -> None:
    try:
        understood(command.words)
    except (USAGE.MissingParameter, USAGE.NoArgsIsHelpError):
        # Within a sentence a verb may stand without what it works on.
        assert command.inline, command.where


@pytest.mark.parametrize("words", ["verfy results", "verify results --nonsense", "pod stp", "new"])
def test_what_the_command_line_tool_does_not_understand(words: str) -> None:
    with pytest.raises(USAGE.UsageError):
        understood(["goodhart-gap", *words.split()])


@pytest.mark.parametrize("command", of_program("snakemake"), ids=lambda each: " ".join(each.words))
def test_snakemake_understands(command: Command) -> None:
    from snakemake.cli import parse_args

    _, arguments = parse_args(list(command.words[1:]))
    for name in [*(arguments.configfile or []), *([arguments.workflow_profile] * 1)]:
        if name and str(name).startswith(("config/", "profiles/")):
            assert (ROOT / name).exists(), command.where
    for target in arguments.targets or []:
        assert target.startswith("results/") or target in rule_names(), command.where


def rule_names() -> set[str]:
    files = [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
    named = r"^(?:rule|use rule \w+ as) (\w+)"
    return {
        rule
        for file in files
        for rule in re.findall(named, file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }


@pytest.mark.parametrize(
    "command", [*of_program("python"), *of_program("pytest")], ids=lambda each: " ".join(each.words)
)
def test_modules_and_files_are_there(command: Command) -> None:
    words = command.words[1:]
    if words[:1] == ("-m",):
        found = importlib.util.find_spec(words[1])
        assert found is not None, command.where
    for word in words:
        if word.endswith(".py") or word.startswith("tests/"):
            assert (ROOT / word).exists(), command.where


@pytest.mark.parametrize("command", of_program("pip"), ids=lambda each: " ".join(each.words))
def test_extras_are_there(command: Command) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in command.words:
        if extra := re.fullmatch(r"goodhart-gap\[(\w+)\]", word):
            assert extra[1] in project["optional-dependencies"], command.where


@pytest.mark.parametrize("page", PAGES)
def test_links_and_paths_lead_somewhere(page: str) -> None:
    assert list(broken(page)) == []


def broken(page: str) -> Iterator[str]:
    for link in links(page):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        file = ((ROOT / page).parent / target).resolve() if target else ROOT / page
        if not file.exists() or (anchor and anchor not in anchors(str(file.relative_to(ROOT)))):
            yield link
    for path in paths(page):
        pattern = re.sub(r"\{.*?\}", "*", path)
        if not (ROOT / path).exists() and not list(ROOT.glob(pattern)):
            yield path


def test_every_page_is_in_the_index() -> None:
    index = set(links("docs/README.md"))
    for page in PAGES:
        if page != "docs/README.md":
            expected = page.removeprefix("docs/") if page.startswith("docs/") else f"../{page}"
            assert expected in index, page


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < README_LINES


def test_the_house_keeps_its_limits() -> None:
    limits = {"rules/common.smk": 150, "scripts/*.py": 200, "src/**/*.py": 400}
    too_long = {
        str(path.relative_to(ROOT)): lines
        for pattern, limit in limits.items()
        for path in ROOT.glob(pattern)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) >= limit
    }
    assert too_long == {}
