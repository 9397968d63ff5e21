"""Settings of the calibration tokens and the Hessians made from them."""

from pydantic import Field, model_validator

from goodhart_gap.settings import Settings


class CalibrationSettings(Settings):
    """What the model is shown while Hessians are accumulated."""

    source: str = Field(default="self", pattern=r"^(self|(file|hf):.+)$")
    """`self` (conversations the model samples itself; needs the whole model in memory),
    `file:{text file}` or `hf:{owner}/{name}#{configuration}` (the `text` column of a data set;
    needs `revision`)."""

    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    """Commit of an `hf:` source; required there, so that a moved branch changes nothing."""

    # 28k train tokens in place of these 16k lower the held-out error of SmolLM2's widest layers
    # (down_proj, 4 bits, block 1) by 3 %, of all others by about 1 %, at 1.8 times the cost.
    sequences: int = Field(default=96, gt=1)
    """Number of calibration sequences."""

    sequence_length: int = Field(default=192, gt=1)
    """Tokens in a calibration sequence."""

    held_out: float = Field(default=0.125, gt=0, lt=1)
    """Share of the sequences kept out of the Hessians, to measure the error on."""

    seed: int = 42
    """Seed of the sampled conversations, or of the choice of passages."""

    threads: int = Field(default=1, gt=0)
    """CPU threads of a matrix product: a setting, since the order of sums depends on it. One leaves
    the other cores to the uncompressed model's responses, which do not wait for calibration."""

    keep_hessians: bool = True
    """Keep the Hessians on disk, so that a changed condition is compressed again from them alone.
    Set it to `false` for large models, whose Hessians outweigh their weights: they are then deleted
    once every condition is compressed, and accumulated again (as is every condition's compression)
    when one condition changes."""

    @model_validator(mode="after")
    def _pinned(self) -> "CalibrationSettings":
        """A data set is pinned, and nothing else is."""
        remote = self.source.startswith("hf:")
        if remote and self.revision is None:
            raise ValueError("an hf: source must be pinned; add `revision`")
        if not remote and self.revision is not None:
            raise ValueError("only an hf: source has a `revision`; delete it")
        return self
