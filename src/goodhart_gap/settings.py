"""The base class of every settings object: validated, immutable, self-describing.

Descriptions are attribute docstrings, so they reach the JSON schema and the reference page
(`goodhart_gap.described`) but, like every docstring, do not count in a code digest.
"""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings that refuse unknown keys, cannot be changed, and describe each field."""

    model_config = ConfigDict(extra="forbid", frozen=True)
