"""The JSON schema and the reference page of the configuration, generated from its models.

    python -m goodhart_gap.config.reference

rewrites the schemas of `config/schemas/` and `config/README.md`; a test fails when one of them
differs from what this would write.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from goodhart_gap.config.schema import Config
from goodhart_gap.described import json_schema
from goodhart_gap.evaluation.task_sets import TaskSet
from goodhart_gap.files import write_text
from goodhart_gap.rendering import template_environment

SCHEMA = Path("config/schemas/config.schema.json")
TASKS_SCHEMA = Path("config/schemas/tasks.schema.json")
PAGE = Path("config/README.md")
DATA_FILES = ("templates/README.md.jinja",)


def schema_text() -> str:
    """Return the JSON schema of the configuration."""
    schema = json_schema(Config)
    # One config file holds some of the sections; only all files together must have all of them.
    del schema["required"]
    return _as_text(schema)


def tasks_schema_text() -> str:
    """Return the JSON schema of a task set."""
    return _as_text(json_schema(TaskSet))


def _as_text(schema: dict[str, Any]) -> str:
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | schema, indent=2) + "\n"


def page_text() -> str:
    """Return the reference page: how the files combine, then every key of every section."""
    environment = template_environment("goodhart_gap.config")
    schema = json_schema(Config)
    sections = [{"title": "Top level", "path": "", "keys": list(_keys(schema, schema))}]
    for title, path, name in (
        ("Models", "models.{name}", "ModelConfig"),
        ("Calibration", "models.{name}.calibration", "CalibrationSettings"),
        ("Profile of blocks", "models.{name}.profile", "ProfileSettings"),
        ("Sizes", "models.{name}.sizes", "ModelSizes"),
        ("Conditions", "conditions.{name}", "ConditionSettings"),
        ("Compression of a matrix", "conditions.{name}.compress", "MatrixSettings"),
        ("Protection", "conditions.{name}.protect", "Protection"),
        ("Budget", "conditions.{name}.budget", "Budget"),
        ("Import", "conditions.{name}.import", "ImportSettings"),
        ("Families of conditions", "condition_families.{name}", "ConditionFamily"),
        ("Protection in a family", "condition_families.{name}.protect", "FamilyProtection"),
        ("Window", "condition_families.{name}.protect.window", "Window"),
        ("Sweeps", "sweeps", "Sweeps"),
        ("Storage", "storage", "StorageSettings"),
        ("Live experiments", "experiments.{name} (source: live)", "LiveExperiment"),
        ("Recorded experiments", "experiments.{name} (source: record)", "RecordedExperiment"),
        ("Sampling", "experiments.{name}.sampling", "SamplingSettings"),
        ("Grading", "experiments.{name}.grading", "GradingSettings"),
        ("Judge", "experiments.{name}.grading.judge", "JudgeSettings"),
        ("Sampling of verdicts", "experiments.{name}.grading.judge.sampling", "JudgeSampling"),
        ("Judge behind an API", "experiments.{name}.grading.judge.api", "JudgeApi"),
        ("Statistics", "experiments.{name}.statistics", "StatisticsSettings"),
        ("Operations", "operations", "OperationsSettings"),
        ("Folders", "pathvars", "PathVars"),
    ):
        keys = list(_keys(schema["$defs"][name], schema))
        sections.append({"title": title, "path": path, "keys": keys})
    return environment.get_template("README.md.jinja").render(sections=sections)


def _keys(model: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield name, type, default and description of each key of `model`, a part of `schema`."""
    required = model.get("required", [])
    for name, field in model["properties"].items():
        yield {
            "name": name,
            "type": _type(field),
            "default": "required" if name in required else _default(field),
            "description": " ".join(describe(field, schema).split()),
        }


def describe(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return a key's description; pydantic leaves it out where its section says the same."""
    if "description" not in field and "$ref" in field:
        field = schema["$defs"][field["$ref"].rsplit("/", 1)[-1]]
    return str(field.get("description", ""))


def _type(field: dict[str, Any]) -> str:
    """Return a short reading of a JSON schema's type and bounds."""
    if "$ref" in field:
        return "section"
    if "anyOf" in field or "oneOf" in field:
        members = field.get("anyOf") or field.get("oneOf")
        return " or ".join(dict.fromkeys(_type(member) for member in members or []))
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    kind = str(field.get("type", "any"))
    if kind == "array":
        return f"list of {_type(field.get('items') or {})}"
    if kind == "object":
        return "map of names to sections" if "$ref" in str(field) else "map"
    bounds = [
        f"{sign} {field[key]:g}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in field
    ]
    return " ".join([kind, ", ".join(bounds)]).strip()


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    if default is None or isinstance(default, dict):
        return "none" if default is None and "$ref" not in field else "its defaults"
    return f"`{json.dumps(default)}`"


def main() -> None:
    """Write the files."""
    write_text(SCHEMA, schema_text())
    write_text(TASKS_SCHEMA, tasks_schema_text())
    write_text(PAGE, page_text())


if __name__ == "__main__":
    main()
