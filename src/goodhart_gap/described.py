"""JSON schemas whose keys are described by attribute docstrings.

pydantic can read attribute docstrings itself (`use_attribute_docstrings`), but does so whenever a
class is made: a fifth of a second at each start of a command, of a job and of Snakemake. Only
pages and schemas want descriptions, so they are read when a schema is made.
"""

import ast
import inspect
import textwrap
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema


def json_schema(model: type[BaseModel], mode: JsonSchemaMode = "validation") -> dict[str, Any]:
    """Return the JSON schema of a model, each key described by its attribute docstring."""
    return model.model_json_schema(schema_generator=_Described, mode=mode)


def attribute_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return {field: docstring} of a model, those of its parents included."""
    found: dict[str, str] = {}
    for parent in reversed(model.__mro__):
        if issubclass(parent, BaseModel) and parent is not BaseModel:
            found |= _own_docstrings(parent)
    return found


def _own_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return {field: docstring} of the fields that a model's class statement names."""
    (statement,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(statement, ast.ClassDef)
    found = {}
    for field, after in zip(statement.body, statement.body[1:], strict=False):
        match field, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
    return found


class _Described(GenerateJsonSchema):
    """pydantic's generator, with descriptions."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Return the schema of one model."""
        made = super().model_schema(schema)
        model = schema["cls"]
        texts = attribute_docstrings(model)
        for name, field in model.model_fields.items():
            key = made.get("properties", {}).get(field.alias or name)
            if key is not None and name in texts:
                key.setdefault("description", texts[name])
        return made
