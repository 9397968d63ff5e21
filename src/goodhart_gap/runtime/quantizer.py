"""The transformers quantizer of `quant_method: caldera`.

    import goodhart_gap
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained("results/models/smollm2-135m/uniform-4bit")

Shards say by themselves what is compressed how, so the model is built on the meta device with
`CalderaLinear` where a shard holds a compressed module, and transformers fills in the tensors under
their own names. Layers are then prepared one by one: in memory are what is compressed and one
module, never the dense base. Importing this module registers the quantizer; `import goodhart_gap`
imports it as soon as transformers is there (`goodhart_gap.registration`).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers.quantizers import auto
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.skeleton import weight_names
from goodhart_gap.models.tensor_files import read_header
from goodhart_gap.runtime.linear import CalderaLinear
from goodhart_gap.runtime.packed_shard import PackedShard

METHOD = "caldera"

MODES = ("packed", "dense")


class CalderaConfig(QuantizationConfigMixin):  # type: ignore[misc]
    """`quantization_config` of a compressed checkpoint (docs/FORMAT.md), and how to load it.

    `from_pretrained(..., quantization_config=CalderaConfig(mode="dense"))` dequantizes each module
    once; the result is an ordinary model.
    """

    def __init__(self, mode: str = "packed", **stored: Any) -> None:
        self.quant_method = METHOD
        if mode not in MODES:
            raise GoodhartError(
                f"quantization_config.mode = {mode!r}: must be packed (weights stay packed) or "
                "dense (dequantized once)."
            )
        self.mode = mode
        stored.pop("quant_method", None)
        for name, value in stored.items():
            setattr(self, name, value)

    @property
    def dequantize(self) -> bool:
        """Whether nothing is left to say about quantization once the model is loaded."""
        return self.mode == "dense"

    def get_loading_attributes(self) -> dict[str, Any]:
        """What the caller of from_pretrained decides, not the checkpoint."""
        return {"mode": self.mode}


class CalderaQuantizer(HfQuantizer):  # type: ignore[misc]
    """Loads compressed checkpoints; compressing is the workflow's."""

    requires_calibration = True

    def __init__(self, quantization_config: CalderaConfig, **options: Any) -> None:
        super().__init__(quantization_config, **options)
        self._shards: list[PackedShard] = []

    def _process_model_before_weight_loading(
        self, model: Any, checkpoint_files: Iterable[str] | None = None, **_: Any
    ) -> None:
        """Put `CalderaLinear` in the place of every linear layer that a shard holds compressed."""
        paths = [Path(path) for path in checkpoint_files or ()]
        names: set[str] = set()
        for path in paths:
            header = read_header(path)
            names |= set(header.tensors)
            if "caldera" in header.metadata:
                shard = PackedShard(path)
                self._shards.append(shard)
                for module in shard.modules:
                    replace_linear(model, module, shard, shard.empty_parts(module))
        missing = weight_names(model) - names
        if missing:
            raise GoodhartError(
                f"{paths[0].parent if paths else 'checkpoint'}: no shard holds {min(missing)} (and "
                f"{len(missing) - 1} more weights); run the rule `assemble` again."
            )

    def _process_model_after_weight_loading(self, model: Any, **_: Any) -> Any:
        """Prepare the layers, or dequantize them, one after another."""
        for shard in self._shards:
            with shard:
                for module in shard.modules:
                    self._finish(model, module, shard)
                for name in shard.plain:
                    _copy(model, name)
        return model

    def _finish(self, model: Any, module: str, shard: PackedShard) -> None:
        layer, dtype = model.get_submodule(module), model.config.dtype
        if layer.codes.device.type == "cpu":
            # transformers maps the file; reading through its map would keep it resident.
            for part, tensor in shard.parts(module).items():
                owner, _, key = part.rpartition(".")
                layer.get_submodule(owner)._buffers[key] = tensor
        if self.quantization_config.dequantize:
            put(model, module, layer.dense(dtype, shard.dtype))
        else:
            layer.prepare(dtype)

    def is_serializable(self, **_: Any) -> bool:
        """Packed layouts are for one kind of device; the checkpoint's folder is what to copy."""
        return False

    @property
    def is_trainable(self) -> bool:
        """Codes have no gradient."""
        return False


def replace_linear(
    model: nn.Module, module: str, shard: PackedShard, parts: Mapping[str, torch.Tensor]
) -> CalderaLinear:
    """Put a `CalderaLinear` of `parts` in the place of the linear layer `module`, and return it.

    Raises GoodhartError when the model has no linear layer of that name and shape.
    """
    record = shard.record.modules[module]
    try:
        old = model.get_submodule(module)
    except AttributeError:
        old = None
    if not isinstance(old, nn.Linear) or old.weight.shape != record.shape:
        raise GoodhartError(
            f"{shard.path}: {module} {list(record.shape)} is no linear layer of the model that "
            "config.json describes; configuration and shards do not belong together."
        )
    layer = CalderaLinear(record, parts, old.bias)
    put(model, module, layer)
    return layer


def put(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` in the place called `name`."""
    parent, _, key = name.rpartition(".")
    model.get_submodule(parent).register_module(key, module)


def _copy(model: nn.Module, name: str) -> None:
    """Give a weight on the CPU memory of its own, so that the map of its file is given up."""
    owner, _, key = name.rpartition(".")
    parameter = model.get_submodule(owner).get_parameter(key)
    if parameter.device.type == "cpu":
        parameter.data = parameter.data.clone()


def register() -> None:
    """Make `quant_method: caldera` known to transformers, and `mode` a thing callers may choose."""
    if METHOD in auto.AUTO_QUANTIZER_MAPPING:
        return
    auto.register_quantization_config(METHOD)(CalderaConfig)
    auto.register_quantizer(METHOD)(CalderaQuantizer)
    auto.LOADING_ATTRIBUTES_CONFIG_TYPES = (*auto.LOADING_ATTRIBUTES_CONFIG_TYPES, CalderaConfig)


register()
