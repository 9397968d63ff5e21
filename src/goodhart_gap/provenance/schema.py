"""The JSON schema of manifests, generated from their model.

    python -m goodhart_gap.provenance.schema

rewrites `config/schemas/manifest.schema.json`; a test fails when it differs from what this would
write.
"""

import json
from pathlib import Path

from goodhart_gap.described import json_schema
from goodhart_gap.files import write_text
from goodhart_gap.provenance.manifest import Manifest

SCHEMA = Path("config/schemas/manifest.schema.json")


def schema_text() -> str:
    """Return the JSON schema of a manifest."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **json_schema(Manifest, mode="serialization"),
    }
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    write_text(SCHEMA, schema_text())
