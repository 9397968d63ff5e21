"""Settings of one compressed matrix.

Apart from those of a condition: what a matrix becomes depends on nothing else, so a change of how
conditions are written leaves every compressed shard as it is.
"""

from typing import Literal

from pydantic import Field, model_validator

from goodhart_gap.settings import Settings


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

    start: Literal["residual", "weight"] = "residual"
    """What L R is fitted to first: what Q leaves of the weight (`residual`, least error with
    quantized factors), or the weight itself, so that Q gets what L R leaves (`weight`; pays where
    the weight is nearly of low rank and factors have 16 bits)."""

    iterations: int = Field(default=1, gt=0)
    """Alternations between Q and L R; the best iterate is kept. More than one pays with factors of
    4 bits and more, a percent of the error each at first."""

    sweeps: int = Field(default=1, ge=0)
    """`caldera` only: passes of descent on the codes and scales of Q after error feedback."""

    activation_order: bool = True
    """Whether error feedback starts at the strongest inputs instead of the first column (scales
    keep their natural place, so nothing extra is stored)."""

    damping: float = Field(default=0.01, gt=0)
    """Share of the mean diagonal added to the Hessian's diagonal."""

    @property
    def factored(self) -> bool:
        """Whether the method stores factors L and R beside Q."""
        return self.method in ("caldera", "svd-residual")

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
