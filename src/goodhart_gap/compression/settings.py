"""Settings of one compression condition."""

from typing import Literal

from pydantic import Field, model_validator

from goodhart_gap.settings import Settings


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


class MatrixSettings(Settings):
    """How one weight matrix is compressed: W ~ Q + L R."""

    method: Literal["caldera", "gptq", "rtn", "svd-residual"] = "caldera"
    """`caldera`: error-feedback Q and calibration-aware L R, alternating; `gptq`: Q alone with
    error feedback; `rtn`: Q alone, rounded to nearest; `svd-residual`: rounded Q plus an unweighted
    SVD of the residual (what the original experiment ran)."""

    bits: Literal[2, 3, 4, 8] = 4
    """Bits of an entry of Q."""

    codebook: Literal["scalar", "e8", "trellis"] = "scalar"
    """Values Q may take: `scalar` (evenly spaced levels, a scale a group: the plain layout that
    other formats share), `trellis` (trellis-coded: least error at equal bits, more time) or `e8`
    (lattice codebook of QuIP#). The last two have 2 to 4 bits, one scale a matrix, and need
    `hadamard`."""

    hadamard: bool = False
    """Whether weights are rotated by randomized Hadamard transforms first, which spreads outliers;
    whoever reads the weights has to rotate back."""

    group_size: int = Field(default=64, gt=0)
    """Columns of Q (and entries of a factor's component) that share a scale."""

    symmetric: bool = False
    """Whether a group's grid is centred on zero (no zero point stored)."""

    rank: int = Field(default=16, ge=0)
    """Rank of L R; 0 means no low-rank part. A matrix smaller than the rank uses its own size."""

    factor_bits: Literal[2, 3, 4, 8, 16] = 4
    """Bits of an entry of L and R."""

    iterations: int = Field(default=1, gt=0)
    """Alternations between Q and L R; the best iterate is kept. L R starts from the fit of the
    weight itself and is refitted to what Q leaves, so one is enough as a rule: on SmolLM2 a second
    one doubled the time and changed nothing."""

    sweeps: int = Field(default=1, ge=0)
    """`caldera` only: passes of descent on the codes and scales of Q after error feedback."""

    activation_order: bool = True
    """Whether error feedback starts at the strongest inputs instead of the first column (scales
    keep their natural place, so nothing extra is stored)."""

    damping: float = Field(default=0.01, gt=0)
    """Share of the mean diagonal added to the Hessian's diagonal."""

    @model_validator(mode="after")
    def _codebook_fits(self) -> "MatrixSettings":
        """A vector codebook has one scale for normally distributed weights, and few bits."""
        if self.codebook == "scalar":
            return self
        if not self.hadamard:
            raise ValueError(f"codebook {self.codebook} needs hadamard: true")
        if self.bits not in (2, 3, 4):
            raise ValueError(f"codebook {self.codebook} has 2, 3 or 4 bits, not {self.bits}")
        if self.method not in ("caldera", "gptq"):
            raise ValueError(f"codebook {self.codebook} needs method caldera or gptq")
        return self


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
