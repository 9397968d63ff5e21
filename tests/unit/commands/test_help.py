"""The help teaches: every verb explains itself with an example that its own parser accepts."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from goodhart_gap.cli import app

COMMAND: Any = typer.main.get_command(app)


def verbs(command: Any = COMMAND, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of each command that does something."""
    if not hasattr(command, "commands"):
        yield words
        return
    for name, below in command.commands.items():
        yield from verbs(below, *words, name)


def find(*words: str) -> Any:
    command = COMMAND
    for word in words:
        command = command.commands[word]
    return command


def examples() -> list[str]:
    found = []
    for words in [*verbs(), ("new",), ("pod",)]:
        found += re.findall(r"^ {4}goodhart-gap (.+)$", find(*words).help, re.M)
    return found


def test_every_verb_is_there():
    assert {words[0] for words in verbs()} == {
        *("show", "chat", "overview", "new", "plan", "preflight", "bisect", "pod"),
        *("verify", "trace", "adopt", "export", "mirror"),
    }


@pytest.mark.parametrize("words", list(verbs()), ids=" ".join)
def test_every_verb_explains_itself(words):
    command = find(*words)
    first, _, more = command.help.partition("\n\n")
    assert first.endswith(".")
    assert len(first) < 120
    if words[0] != "pod":
        assert "**Example**" in more
    assert all(parameter.help for parameter in command.params)


@pytest.mark.parametrize("example", examples())
def test_examples_are_accepted(example):
    words = shlex.split(example)
    command, context = COMMAND, None
    while hasattr(command, "commands"):
        word = words.pop(0)
        context = command.make_context(word, [word, *words], parent=context, resilient_parsing=True)
        command = command.commands[word]
    made = command.make_context("x", words, parent=context)
    assert made.params


def test_the_top_shows_what_there_is_and_that_it_can_be_completed(tool):
    result = tool("--help")
    assert result.status == 0
    for word in ("show", "chat", "new", "verify", "--install-completion", "snakemake --cores all"):
        assert word in result.out


def test_a_mistyped_word_is_named_with_what_may_stand_there(tool):
    result = tool("shwo")
    assert result.status == 2
    assert "No such command 'shwo'" in result.err
    assert tool("trace", "results/x.md", "--pictur").status == 2


def completion(**variables):
    return subprocess.run(
        [sys.executable, "-c", "from goodhart_gap.cli import main; main()"],
        env={**variables, "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_shells_can_complete(clone):
    # Asked by the variable that the shell's script sets: the option looks which shell runs it.
    assert "_GOODHART_GAP_COMPLETE=complete_bash" in completion(
        _GOODHART_GAP_COMPLETE="source_bash"
    )
    found = completion(
        _GOODHART_GAP_COMPLETE="complete_bash",
        COMP_WORDS="goodhart-gap show publ",
        COMP_CWORD="2",
    )
    assert found.split() == [
        "published-7b",
        "published-layers",
        "published-n100",
        "published-n20",
    ]
