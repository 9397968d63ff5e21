"""What every script of the workflow shares: declared files, atomic outputs, one-sentence errors.

A script declares its files and settings, then runs its `main`:

    script = Script(__doc__)
    script.input("--responses")
    script.output("--outcomes")
    script.settings("--grading", GradingSettings)

    def main(args: argparse.Namespace) -> None:
        ...

    if __name__ == "__main__":
        script.run(main)

`main` sees each output under a temporary name; all are renamed together when it returns, so a
killed script leaves nothing that looks finished. A manifest, `{output}.prov.json`, is then written
beside each (docs/PROVENANCE.md).
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import journal_path, partial_path
from goodhart_gap.journal import Journal
from goodhart_gap.provenance.record import Command, Output, Recording
from goodhart_gap.provenance.redaction import redact_streams
from goodhart_gap.settings import Settings

HINTS = frozenset({"--threads", "--device"})
"""Values that may differ from machine to machine without making a result stale."""


class Script:
    """A command line whose inputs, outputs and settings are declared, hence recordable."""

    def __init__(self, description: str | None) -> None:
        self.parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
        self.inputs: dict[str, str] = {}
        self.outputs: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.hints: set[str] = set()
        self.temporary: set[str] = set()
        self.journals: set[str] = set()
        self._computes_here: Callable[[argparse.Namespace], bool] = lambda args: True

    def input(self, flag: str, *, many: bool = False, optional: bool = False) -> None:
        """Declare an input file (`many`: one or more), passed to `main` as Path (or list)."""
        self.inputs[self._path_argument(flag, many=many, required=not optional)] = flag

    def output(
        self,
        flag: str,
        *,
        many: bool = False,
        optional: bool = False,
        temporary: bool = False,
        journal: bool = False,
    ) -> None:
        """Declare an output file (`many`: one or more), passed to `main` as Path (or list).

        `temporary`: the rule marks it `temp()`, so its absence later on is no loss. `journal`:
        `main` also gets `{name}_journal`, a Journal that survives a killed job for the next one to
        read, and goes once the output is in place.
        """
        name = self._path_argument(flag, many=many, required=not optional)
        self.outputs[name] = flag
        if temporary:
            self.temporary.add(name)
        if journal:
            self.journals.add(name)

    def value(
        self,
        flag: str,
        kind: Callable[[str], Any] = str,
        *,
        optional: bool = False,
        hint: bool = False,
    ) -> None:
        """Declare a plain value. A `hint` changes how fast, but not what; `HINTS` always are."""
        action = self.parser.add_argument(flag, type=kind, required=not optional)
        self.values[action.dest] = flag
        if hint or flag in HINTS:
            self.hints.add(flag)

    def settings(self, flag: str, model: type[Settings]) -> None:
        """Declare a settings object, passed on the command line as JSON."""

        def parse(text: str) -> Settings:
            try:
                return model.model_validate(json.loads(text))
            except (ValidationError, json.JSONDecodeError) as error:
                raise argparse.ArgumentTypeError(f"not valid {model.__name__}: {error}") from error

        action = self.parser.add_argument(flag, type=parse, required=True)
        self.values[action.dest] = flag

    def computes_here(self, asked: Callable[[argparse.Namespace], bool]) -> None:
        """Say when a job computes itself what its journal keeps, as jobs do without this.

        Where it does not (an endpoint answers), another machine goes on with the journal, too.
        """
        self._computes_here = asked

    def run(self, main: Callable[[argparse.Namespace], None]) -> None:
        """Parse the command line, run `main` on temporary outputs, put them in place, record."""
        redact_streams()
        logging.basicConfig(
            level=logging.INFO,
            stream=sys.stderr,
            format="%(asctime)s %(message)s",
            datefmt="%H:%M:%S",
        )
        args = self.parser.parse_args()
        inputs = list(_paths(args, self.inputs))
        outputs = [
            Output(self.outputs[name], partial_path(path), path, name in self.temporary)
            for name in self.outputs
            for _, path in _paths(args, {name: name})
        ]
        try:
            _check_inputs(inputs)
            recording = Recording(self._command(args), inputs, outputs)
            journals = self._open_journals(args, recording)
            self._use_partial_names(args, outputs)
            main(args)
            recording.finish()
            for journal in journals:
                journal.path.unlink(missing_ok=True)
        except GoodhartError as error:
            sys.exit(f"error: {error}")
        finally:
            for output in outputs:
                output.partial.unlink(missing_ok=True)

    def _path_argument(self, flag: str, *, many: bool, required: bool) -> str:
        action = self.parser.add_argument(
            flag, type=Path, nargs="+" if many else None, required=required
        )
        return action.dest

    def _command(self, args: argparse.Namespace) -> Command:
        arguments = {
            flag: _plain(getattr(args, name))
            for name, flag in self.values.items()
            if getattr(args, name) is not None
        }
        hints = tuple(sorted(self.hints))
        return Command(Path(sys.argv[0]), arguments, hints, tuple(sys.argv[1:]))

    def _open_journals(self, args: argparse.Namespace, recording: Recording) -> list[Journal]:
        """Put the journal of each output that has one into `args`."""
        if not self.journals:
            return []
        key = recording.identity(computed_here=self._computes_here(args))
        journals = {n: Journal(journal_path(getattr(args, n)), key) for n in sorted(self.journals)}
        for name, journal in journals.items():
            setattr(args, f"{name}_journal", journal)
        return list(journals.values())

    def _use_partial_names(self, args: argparse.Namespace, outputs: list[Output]) -> None:
        """Replace each output path in `args` by its temporary one, in a folder that exists."""
        partials = {output.final: output.partial for output in outputs}
        for output in outputs:
            output.final.parent.mkdir(parents=True, exist_ok=True)
        for name in self.outputs:
            value = getattr(args, name)
            if isinstance(value, list):
                setattr(args, name, [partials[path] for path in value])
            elif value is not None:
                setattr(args, name, partials[value])


def _paths(args: argparse.Namespace, flags: dict[str, str]) -> Iterator[tuple[str, Path]]:
    """Yield flag and path of every path given for the arguments of `flags` (by name)."""
    for name, flag in flags.items():
        value = getattr(args, name)
        for path in value if isinstance(value, list) else [value]:
            if path is not None:
                yield flag, path


def _check_inputs(inputs: list[tuple[str, Path]]) -> None:
    for _, path in inputs:
        if not path.exists():
            raise GoodhartError(f"{path}: input is missing; run snakemake to make it.")


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it; settings with all their defaults."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return value if isinstance(value, int | float | str | bool) else str(value)
