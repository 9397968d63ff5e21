"""Every template, by name."""

from goodhart_gap.evaluation.templates import (
    arithmetic,
    clocks,
    logic,
    money,
    scheduling,
    zones,
)
from goodhart_gap.evaluation.templates.base import TEMPLATES

MODULES = (arithmetic, clocks, logic, money, scheduling, zones)
"""The modules whose import fills `TEMPLATES`."""

__all__ = ["MODULES", "TEMPLATES"]
