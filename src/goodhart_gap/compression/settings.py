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


FORESEEN = "foreseen"
"""The loss that nothing has to be compressed for."""


def foreseeable(settings: MatrixSettings) -> bool:
    """Whether errors under `settings` can be foreseen: of rotated weights with error feedback."""
    return settings.hadamard and settings.method in ("caldera", "gptq")


class Budget(Settings):
    """A choice for each block or matrix, of least predicted loss under a budget of bits.

    It is the exact solution of a knapsack problem.
    """

    bits_per_parameter: float = Field(gt=0)
    """Bits on disk for each parameter of the blocks, everything stored for them counted: scales,
    factors, norms, what is left uncompressed, the shards' headers. Never exceeded."""

    choices: tuple[str, ...] = Field(min_length=1)
    """What a block or matrix may become: as in one of these conditions, each of which has
    `compress` and leaves nothing out; or `base`, to stay as it is."""

    loss: Literal["divergence", "error", "foreseen"] = "divergence"
    """What is summed and minimised. `divergence`: the effect on the model's output distribution
    (nats a token, measured with only that block compressed). `error`: the share of the energy of
    the outputs of the block's layers that is lost, summed over the layers. `foreseen`: the same,
    foreseen for each matrix from its Hessian, and chosen matrix by matrix; the choices, which need
    `hadamard` and error feedback, are not compressed for it, but all Hessians must be there at
    once."""


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
