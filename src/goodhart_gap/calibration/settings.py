"""Settings of the calibration tokens and the Hessians made from them."""

from pydantic import Field

from goodhart_gap.settings import Settings


class CalibrationSettings(Settings):
    """What the model is shown while Hessians are accumulated."""

    source: str = Field(default="self", pattern=r"^(self|(file|hf):.+)$")
    """`self` (conversations the model samples itself), `file:{text file}` or `hf:{data set}`."""

    sequences: int = Field(default=128, gt=0)
    """Number of calibration sequences."""

    sequence_length: int = Field(default=256, gt=1)
    """Tokens in a calibration sequence."""

    held_out: float = Field(default=0.125, gt=0, lt=1)
    """Share of the sequences kept out of the Hessians, to measure the error on."""

    seed: int = 42
    """Seed of the sampled conversations, or of the choice of passages."""
