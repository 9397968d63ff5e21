"""The model of ours that an export is compared with: the numbers its format stands for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from goodhart_gap.runtime.linear import CalderaLinear
from goodhart_gap.runtime.load import load_model
from goodhart_gap.runtime.replacing import put


def load_reference(
    format: str, config: Path, fingerprint: Path, shards: Sequence[Path], index: Path, dtype: str
) -> Any:
    """Return our model with dense weights in `dtype`, to compare an export in `format` with.

    Those are Q + L R rounded to the base's number format, as sampled from, which other formats have
    to hold. A `caldera` folder holds Q, L and R themselves, and in float32 computes their sum as it
    is, so there the sum is not rounded.
    """
    if format != "caldera" or dtype != "float32":
        return load_model(config, fingerprint, shards, dtype, index=index)
    model = load_model(config, fingerprint, shards, dtype, index=index, weights="packed")
    for name, layer in list(model.named_modules()):
        if isinstance(layer, CalderaLinear):
            put(model, name, layer.restore().dense(model.dtype))
    return model
