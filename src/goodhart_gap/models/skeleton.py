"""A model without weights: every parameter on the meta device, every buffer real.

Buffers that no checkpoint stores (rotary frequencies, embedding scales) are computed as
transformers computes them, so filling in the stored weights gives the whole model.
"""

from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.initialization import no_init_weights

from goodhart_gap.errors import GoodhartError


def empty_model(config: Any, dtype: torch.dtype | None = None) -> Any:
    """Return the causal language model of `config` without memory for its weights.

    Tied weights are not tied yet: call `tie_weights()` when the others are in place.
    Raises GoodhartError when transformers has no causal language model for `config`.
    """
    try:
        with no_init_weights(), init_empty_weights(include_buffers=False):
            model = AutoModelForCausalLM.from_config(config, dtype=dtype or config.dtype)
    except ValueError as error:
        raise GoodhartError(
            f"model_type {config.model_type!r}: transformers has no causal language model for it; "
            "use a decoder-only model."
        ) from error
    return model.eval()


def read_config(folder: Path) -> Any:
    """Return the transformers configuration in `folder`."""
    return AutoConfig.from_pretrained(folder)


def tied_names(model: Any) -> set[str]:
    """Return the names of weights that are others' (a head tied to the embeddings)."""
    return set(model.all_tied_weights_keys)


def weight_names(model: Any) -> set[str]:
    """Return the names of the weights a checkpoint of this model stores."""
    return set(model.state_dict()) - tied_names(model)
