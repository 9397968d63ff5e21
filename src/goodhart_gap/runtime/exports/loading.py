"""Load an export as its users would: with transformers, compressed-tensors and PEFT alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, CompressedTensorsConfig
from transformers.utils.logging import disable_progress_bar

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.tensor_files import read_header

ADAPTER = "adapter_model.safetensors"


def load_export(format: str, files: Sequence[Path], dtype: torch.dtype = torch.float32) -> Any:
    """Return the model made of the exported `files`, the weights first, in evaluation mode.

    Raises GoodhartError where a library is missing.
    """
    disable_progress_bar()
    folder = files[0].parent
    if format == "gguf":
        return AutoModelForCausalLM.from_pretrained(folder, gguf_file=files[0].name, dtype=dtype)
    if format == "caldera":
        from goodhart_gap.runtime import quantizer

        quantizer.register()
    if format in ("caldera", "dense"):
        return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    try:
        import compressed_tensors  # noqa: F401
        from peft import PeftModel
    except ImportError as error:
        raise GoodhartError(
            f"format {format}: {error.name} is missing; pip install 'goodhart-gap[exports]'."
        ) from error
    # Left packed, zero points do not load: compressed-tensors 0.20 tells transformers their shape
    # as if they were not packed (its `compress` on the meta device). Unpacked on loading, they do.
    unpacked = CompressedTensorsConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, quantization_config=unpacked)
    adapter = next((path for path in files if path.name == ADAPTER), None)
    if adapter is None or not read_header(adapter).tensors:
        return model
    return PeftModel.from_pretrained(model, adapter.parent).eval()
