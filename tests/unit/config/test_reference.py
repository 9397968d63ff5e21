"""The generated reference does not drift from the models, and describes every key."""

from pathlib import Path

import pytest

from goodhart_gap.config import reference
from goodhart_gap.config.schema import Config
from goodhart_gap.described import json_schema

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (reference.SCHEMA, reference.schema_text),
        (reference.TASKS_SCHEMA, reference.tasks_schema_text),
        (reference.PAGE, reference.page_text),
    ],
)
def test_generated_file_is_up_to_date(file: Path, text) -> None:  # type: ignore[no-untyped-def]
    assert (ROOT / file).read_text(encoding="utf-8") == text(), "run `make docs`"


def test_every_key_is_described() -> None:
    schema = json_schema(Config)
    bare = [
        f"{name}.{key}"
        for name, model in [("Config", schema), *schema["$defs"].items()]
        for key, field in model.get("properties", {}).items()
        if not reference.describe(field, schema)
    ]
    assert bare == []
