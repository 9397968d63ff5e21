"""`chat`: talk to a model and to its compressed form side by side."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goodhart_gap.commands.arguments import (
    RESULTS,
    ConfigFiles,
    Results,
    conditions,
    experiments,
    models,
)
from goodhart_gap.errors import GoodhartError, did_you_mean

if TYPE_CHECKING:
    from rich.console import Console

    from goodhart_gap.config.schema import Config, LiveExperiment
    from goodhart_gap.evaluation.conversation import Speaker


def chat(
    condition: Annotated[
        str,
        typer.Argument(
            help="Name of a condition that compresses.",
            autocompletion=conditions,
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="Name of the model; else the experiment's.",
            autocompletion=models,
            show_default=False,
        ),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(
            help="Whose sampling settings are used; else the first that is built.",
            autocompletion=experiments,
            show_default=False,
        ),
    ] = None,
    once: Annotated[
        str | None,
        typer.Option(
            metavar="PROMPT", help="Ask this, print the answers, and end.", show_default=False
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the draws; else the experiment's.", show_default=False),
    ] = None,
    configfile: ConfigFiles = None,
    results: Results = RESULTS,
) -> None:
    """Talk to a model and to its compressed form side by side.

    Both get the same prompt, the experiment's sampling settings, and the same random draws (keyed
    by seed and prompt), so what differs between the columns is the compression. Every prompt stands
    for itself, as in the experiment: nothing of what was said before is passed on. Asking the same
    again draws anew. End with Ctrl-D; prompts can also be piped in, one a line.

    **Example**

        goodhart-gap chat uniform-4bit
        goodhart-gap chat selective-4bit --once "How many minutes are 2 hours and 5 minutes?"
    """
    from rich.console import Console

    from goodhart_gap.config.files import read_config
    from goodhart_gap.evaluation.conversation import BASE, Speaker, find_checkpoint

    config = read_config(configfile or [])
    chosen = _experiment(config, experiment)
    model = model or chosen.model
    _check_names(config, model, condition)
    folder = results / "models" / model
    prefix = config.storage.prefix if config.storage else None
    # Both are looked for before either is loaded.
    found = {name: find_checkpoint(folder / name, prefix) for name in (BASE, condition)}
    console = Console(highlight=False)
    _quieten()
    speakers: dict[str, Speaker] = {}
    for name, checkpoint in found.items():
        with _status(console, f"loading {name} of {model}"):
            speakers[name] = Speaker(checkpoint, chosen.sampling)
    asked: Counter[str] = Counter()
    for prompt in _prompts(once):
        answers = {}
        for name, speaker in speakers.items():
            with _status(console, f"{name} is answering"):
                answers[name] = speaker.answer(
                    prompt, chosen.seeds[0] if seed is None else seed, asked[prompt]
                )
        asked[prompt] += 1
        show_answers(console, answers)


def _experiment(config: Config, name: str | None) -> LiveExperiment:
    """Return the experiment whose settings are used. Raises GoodhartError if it samples nothing."""
    from goodhart_gap.config.schema import LiveExperiment

    wanted = [name] if name else [*config.build, *config.experiments]
    for each in wanted:
        found = config.experiments.get(each)
        if isinstance(found, LiveExperiment):
            return found
    raise GoodhartError(
        f"--experiment {name}: no such live experiment; define it in experiments, or name its file "
        "with --configfile."
    )


def _check_names(config: Config, model: str, condition: str) -> None:
    """Raise GoodhartError for a model or condition that is not defined, or is the baseline."""
    for kind, name, known in (
        ("model", model, list(config.models)),
        ("condition", condition, list(config.conditions)),
    ):
        if name not in known:
            meant = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise GoodhartError(f"{name}: the configuration has no such {kind}{meant}.")
    settings = config.conditions[condition]
    if not (settings.compresses or settings.reuse is not None or settings.imported is not None):
        raise GoodhartError(
            f"{condition}: leaves the model as it is, and would be compared with itself; name a "
            "condition that compresses."
        )


def _prompts(once: str | None) -> Iterator[str]:
    """Yield what is asked: one prompt, lines from a pipe, or what is typed until Ctrl-D."""
    if once is not None:
        yield once
        return
    if not sys.stdin.isatty():
        yield from filter(None, map(str.strip, sys.stdin))
        return
    import readline  # noqa: F401 - gives input() a history and keys to edit

    while True:
        try:
            prompt = input("\n> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if prompt:
            yield prompt


def show_answers(console: Console, answers: dict[str, dict[str, Any]]) -> None:
    """Print the answers: in columns on a terminal, one after another elsewhere."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if not console.is_terminal:
        for name, answer in answers.items():
            print(f"## {name} ({_ending(answer)})\n\n{answer['text'].strip()}\n")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    for name in answers:
        table.add_column(name, ratio=1, overflow="fold")
    texts = [Text(answer["text"].strip()) for answer in answers.values()]
    table.add_row(*texts, end_section=True)
    table.add_row(*(Text(_ending(answer), "bright_black") for answer in answers.values()))
    console.print(table)


def _ending(answer: dict[str, Any]) -> str:
    ending = "cut at the limit" if answer["truncated"] else "ended by itself"
    return f"{answer['n_tokens']} tokens, {ending}"


def _status(console: Console, text: str) -> AbstractContextManager[Any]:
    """Show what is going on, on a terminal."""
    return console.status(text) if console.is_terminal else nullcontext()


def _quieten() -> None:
    """Keep transformers from talking in between."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
