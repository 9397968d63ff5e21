"""Every template, by name."""

from goodhart_gap.evaluation.templates import (  # noqa: F401
    logic,
    money,
    arithmetic,
    scheduling,
    clocks,
    zones,
)
from goodhart_gap.evaluation.templates.base import TEMPLATES, Template

__all__ = ["TEMPLATES", "Template"]
