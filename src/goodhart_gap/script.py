"""What every script of the workflow shares: declared inputs, atomic outputs, one-sentence errors.

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
killed script leaves nothing that looks finished.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import partial_path
from goodhart_gap.settings import Settings


class Script:
    """A command line whose inputs, outputs and settings are declared, hence recordable."""

    def __init__(self, description: str | None) -> None:
        self.parser = argparse.ArgumentParser(description=description)
        self.inputs: list[str] = []
        self.outputs: list[str] = []

    def input(self, flag: str, *, many: bool = False, optional: bool = False) -> None:
        """Declare an input file (`many`: one or more), passed to `main` as Path (or list)."""
        self.inputs.append(self._path_argument(flag, many=many, required=not optional))

    def output(self, flag: str, *, many: bool = False, optional: bool = False) -> None:
        """Declare an output file (`many`: one or more), passed to `main` as Path (or list)."""
        self.outputs.append(self._path_argument(flag, many=many, required=not optional))

    def value(self, flag: str, kind: Callable[[str], Any] = str, *, optional: bool = False) -> None:
        """Declare a plain value."""
        self.parser.add_argument(flag, type=kind, required=not optional)

    def settings(self, flag: str, model: type[Settings]) -> None:
        """Declare a settings object, passed on the command line as JSON."""

        def parse(text: str) -> Settings:
            try:
                return model.model_validate(json.loads(text))
            except (ValidationError, json.JSONDecodeError) as error:
                raise argparse.ArgumentTypeError(f"not valid {model.__name__}: {error}") from error

        self.parser.add_argument(flag, type=parse, required=True)

    def run(self, main: Callable[[argparse.Namespace], None]) -> None:
        """Parse the command line, run `main` on temporary outputs, then put them in place."""
        logging.basicConfig(
            level=logging.INFO,
            stream=sys.stderr,
            format="%(asctime)s %(message)s",
            datefmt="%H:%M:%S",
        )
        args = self.parser.parse_args()
        renames: dict[Path, Path] = {}
        for name in self.outputs:
            value = getattr(args, name)
            setattr(args, name, _hidden(value, renames))
        try:
            self._check_inputs(args)
            main(args)
            for partial, final in renames.items():
                partial.replace(final)
        except GoodhartError as error:
            sys.exit(f"error: {error}")
        finally:
            for partial in renames:
                partial.unlink(missing_ok=True)

    def _path_argument(self, flag: str, *, many: bool, required: bool) -> str:
        action = self.parser.add_argument(
            flag, type=Path, nargs="+" if many else None, required=required
        )
        return action.dest

    def _check_inputs(self, args: argparse.Namespace) -> None:
        for name in self.inputs:
            value = getattr(args, name)
            for path in value if isinstance(value, list) else [value]:
                if path is not None and not path.exists():
                    raise GoodhartError(f"{path}: input is missing; run snakemake to make it.")


def _hidden(value: Any, renames: dict[Path, Path]) -> Any:
    """Replace each final path in `value` by its temporary one and remember the pair."""
    if value is None:
        return None
    if isinstance(value, list):
        return [_hidden(path, renames) for path in value]
    value.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(value)
    renames[partial] = value
    return partial
