"""Settings of one compression condition."""

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.models.import_settings import ImportSettings
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


class Budget(Settings):
    """A choice for each block, of least predicted loss under a budget of bits: exact knapsack."""

    bits_per_parameter: float = Field(gt=0)
    """Bits on disk for each parameter of the blocks, everything stored for them counted: scales,
    factors, norms, what is left uncompressed, the shards' headers. Never exceeded."""

    choices: tuple[str, ...] = Field(min_length=1)
    """What a block may become: as in one of these conditions, each of which has `compress` and
    leaves nothing out; or `base`, to stay as it is."""

    loss: Literal["divergence", "error"] = "divergence"
    """What is summed over blocks and minimised: the effect on the model's output distribution
    (nats a token, measured with only that block compressed), or the share of the outputs of the
    block's layers that is lost."""


class ConditionSettings(Settings):
    """One experimental condition: nothing, or a compression of the whole model."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    compress: MatrixSettings | None = None
    """How matrices are compressed; leave out for the uncompressed baseline."""

    budget: Budget | None = None
    """Instead of `compress`: how each block is compressed is chosen under a budget of bits."""

    reuse: str | dict[str, Literal["rest"] | tuple[int, ...]] | None = None
    """Instead of both: take the modules from another condition's compressed shards, and
    those that `protect` names from the base; nothing is compressed again. A condition's name, or a
    map of conditions (or `base`) to lists of blocks (counted from 0), of which one may get the
    `rest`."""

    imported: ImportSettings | None = Field(default=None, alias="import")
    """Instead of all: a checkpoint that others have compressed, loaded by transformers."""

    protect: Protection = Protection()
    """What is left out of the compression (`selective` conditions)."""

    minimum_correlation: float = Field(default=0.9, ge=0, le=1)
    """Assembly refuses a module whose reconstruction correlates less than this with its base."""

    @model_validator(mode="after")
    def _one_origin(self) -> "ConditionSettings":
        """A condition compresses, or reuses; no block comes from two conditions."""
        keys = ("compress", "budget", "reuse", "imported")
        given = [
            "import" if key == "imported" else key for key in keys if getattr(self, key) is not None
        ]
        if len(given) > 1:
            raise ValueError(f"a condition has either {given[0]} or {given[1]}, not both")
        if self.budget is not None and self.protect != Protection():
            raise ValueError("a budget decides what is left out: it allows no protect")
        if self.reuse is None:
            return self
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
    def compresses(self) -> bool:
        """Whether it makes compressed shards of its own."""
        return self.compress is not None or self.budget is not None

    @property
    def reused(self) -> dict[str, tuple[int, ...] | None]:
        """Condition -> its blocks, None for all the others; empty without `reuse`."""
        if self.reuse is None or isinstance(self.reuse, str):
            return {} if self.reuse is None else {self.reuse: None}
        return {name: None if of == "rest" else of for name, of in self.reuse.items()}
