"""Every template by name, theme by theme: the order in which generated tasks are frozen."""

from goodhart_gap.evaluation.templates import (
    averages,
    calendar,
    capacity,
    clocks,
    counting,
    financial,
    geometry,
    orderings,
    percentages,
    rates,
    recipes,
    scheduling,
    sets,
    shopping,
    units,
    zone_plans,
    zones,
)
from goodhart_gap.evaluation.templates.base import REGISTERED, Template

MODULES = (
    averages,
    recipes,
    units,
    rates,
    geometry,
    counting,
    clocks,
    orderings,
    sets,
    calendar,
    percentages,
    financial,
    shopping,
    scheduling,
    capacity,
    zones,
    zone_plans,
)
"""The modules whose import registers templates, in the order of frozen tasks."""

TEMPLATES: dict[str, Template] = {
    name: found
    for module in MODULES
    for name, found in REGISTERED.items()
    if found.make.__module__ == module.__name__
}
"""All templates by name."""
