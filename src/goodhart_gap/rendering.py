"""The template environment that documents and reference pages share."""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def template_environment(package: str, finalize: Callable[[Any], Any] | None = None) -> Environment:
    """Return an environment for the `templates/` of `package`.

    Unknown names are errors, and lines that hold only a statement leave no line behind. `finalize`
    sees every printed value.
    """
    return Environment(
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=finalize,
        autoescape=False,
    )
