"""Documents from templates and tables.

A template holds words and layout; every digit it prints comes from a table, the settings or the
experiment's facts, through one of the filters of `formatting`. A value that is missing, and any
float that skipped the filters, is an error of the template and stops the document.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment

from goodhart_gap.analysis import formatting
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import write_text
from goodhart_gap.rendering import template_environment

Rows = list[dict[str, Any]]


def environment() -> Environment:
    """Return the template environment with our filters."""
    made = template_environment("goodhart_gap.analysis", _printable)
    made.filters.update(
        percent=formatting.percent,
        points=formatting.points,
        number=formatting.number,
        size=formatting.size,
        p_value=formatting.p_value,
        interval=formatting.interval,
        points_interval=formatting.points_interval,
        parameters=formatting.parameters,
        counted=formatting.counted,
        listing=formatting.listing,
        number_interval=formatting.number_interval,
        difference_interval=formatting.difference_interval,
    )
    return made


def render(template: str, context: Mapping[str, Any]) -> str:
    """Render a template of this package."""
    return environment().get_template(template).render(**context)


def write_document(path: Path, template: str, context: Mapping[str, Any]) -> str:
    """Render a template, write it and return the text."""
    text = render(template, context)
    write_text(path, text)
    return text


def one(rows: Rows, **values: Any) -> dict[str, Any]:
    """Return the one row with these values. Raises GoodhartError when it is not exactly one."""
    found = where(rows, **values)
    if len(found) != 1:
        raise GoodhartError(
            f"tables: {len(found)} rows with {values}, where one is expected; "
            "delete the tables and rerun."
        )
    return found[0]


def where(rows: Rows, **values: Any) -> Rows:
    """Return the rows with these values."""
    return [row for row in rows if all(row[key] == value for key, value in values.items())]


def _printable(value: Any) -> Any:
    if value is None or isinstance(value, float):
        raise GoodhartError(
            f"template: prints {value!r} without a filter; use percent, points, number or p_value."
        )
    return value
