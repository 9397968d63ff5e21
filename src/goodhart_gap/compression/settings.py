"""Settings of one compression condition."""

from typing import Literal

from pydantic import Field, model_validator

from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.settings import Settings

__all__ = ["ConditionSettings", "MatrixSettings", "Protection"]


class Protection(Settings):
    """The blocks and modules that are left out of compression."""

    first: int = Field(default=0, ge=0)
    """Leave out this many blocks at the start."""

    last: int = Field(default=0, ge=0)
    """Leave out this many blocks at the end."""

    blocks: tuple[int, ...] = ()
    """Leave out these blocks, counted from 0."""

    patterns: tuple[str, ...] = ()
    """Leave out modules whose name matches one of these shell patterns (`*.mlp.down_proj`)."""


class ConditionSettings(Settings):
    """One experimental condition: nothing, or a compression of the whole model."""

    compress: MatrixSettings | None = None
    """How matrices are compressed; leave out for the uncompressed baseline."""

    reuse: str | dict[str, Literal["rest"] | tuple[int, ...]] | None = None
    """Instead of `compress`: take the modules from another condition's compressed shards, and
    those that `protect` names from the base; nothing is compressed again. A condition's name, or a
    map of conditions (or `base`) to lists of blocks (counted from 0), of which one may get the
    `rest`."""

    protect: Protection = Protection()
    """What is left out of the compression (`selective` conditions)."""

    minimum_correlation: float = Field(default=0.9, ge=0, le=1)
    """Assembly refuses a module whose reconstruction correlates less than this with its base."""

    @model_validator(mode="after")
    def _one_origin(self) -> "ConditionSettings":
        """A condition compresses, or reuses; no block comes from two conditions."""
        if self.reuse is None:
            return self
        if self.compress is not None:
            raise ValueError("a condition has either compress or reuse, not both")
        named: set[int] = set()
        for blocks in self.reused.values():
            twice = named & set(blocks or ())
            if twice:
                raise ValueError(f"reuse takes block {min(twice)} from two conditions")
            named |= set(blocks or ())
        if not self.reused or [*self.reused.values()].count(None) > 1:
            raise ValueError("reuse names at least one condition, and one at most gets the rest")
        return self

    @property
    def reused(self) -> dict[str, tuple[int, ...] | None]:
        """Condition -> its blocks, None for all the others; empty without `reuse`."""
        if self.reuse is None or isinstance(self.reuse, str):
            return {} if self.reuse is None else {self.reuse: None}
        return {name: None if of == "rest" else of for name, of in self.reuse.items()}
