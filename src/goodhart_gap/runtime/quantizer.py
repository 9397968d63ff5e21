"""The transformers quantizer of `quant_method: caldera`.

    import goodhart_gap
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained("results/models/smollm2-135m/uniform-4bit")

Shards say by themselves what is compressed how, so the model is built on the meta device with
`CalderaLinear` where a shard holds a compressed module. transformers loads the rest; layers are
then read and prepared one by one: in memory are what is compressed and one module, never the dense
base. Importing this module registers the quantizer; `import goodhart_gap` imports it as soon as
transformers is there (`goodhart_gap.registration`).
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
from goodhart_gap.memory import give_back
from goodhart_gap.models.skeleton import weight_names
from goodhart_gap.models.tensor_files import read_header
from goodhart_gap.runtime.chosen import chosen_weights
from goodhart_gap.runtime.packed_shard import PackedShard
from goodhart_gap.runtime.replacing import put, replace_linear

METHOD = "caldera"

MODES = ("packed", "dense")

INDEX = "model.safetensors.index.json"

PARTS = r"\.(codes|residual_codes|scales|zeros|scale|values)$"
"""Names of parts of compressed modules."""


class CalderaConfig(QuantizationConfigMixin):
    """`quantization_config` of a compressed checkpoint (docs/FORMAT.md), and how to load it.

    `from_pretrained(..., quantization_config=CalderaConfig(mode="dense"))` dequantizes each module
    once; the result is an ordinary model.
    """

    def __init__(self, mode: str = "packed", **stored: Any) -> None:
        self.quant_method: Any = METHOD
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


class CalderaQuantizer(HfQuantizer):
    """Loads compressed checkpoints; compressing is the workflow's."""

    requires_calibration = True
    quantization_config: CalderaConfig

    def __init__(self, quantization_config: CalderaConfig, **options: Any) -> None:
        super().__init__(quantization_config, **options)
        self._modules: dict[str, PackedShard] = {}
        self._copied: list[str] = []
        self._device: torch.device | None = None

    def _process_model_before_weight_loading(
        self,
        model: Any,
        checkpoint_files: Iterable[str] | None = None,
        device_map: Any = None,
        **_: Any,
    ) -> None:
        """Put `CalderaLinear` in the place of every linear layer that a shard holds compressed."""
        paths = [Path(path) for path in checkpoint_files or ()]
        index = Path(model.config.name_or_path) / INDEX
        self._device = _one_device(device_map)
        missing = weight_names(model)
        for path, wanted in chosen_weights(paths, index if index.is_file() else None):
            header = read_header(path)
            if "caldera" not in header.metadata:
                missing -= set(header.tensors)
                continue
            shard = PackedShard(path)
            for module in shard.modules:
                if f"{module}.weight" in wanted:
                    parts = {} if self._device else shard.empty_parts(module)
                    replace_linear(model, module, shard, parts)
                    self._modules[module] = shard
                    missing.discard(f"{module}.weight")
            plain = [name for name in shard.plain if name in wanted]
            self._copied += plain
            missing -= set(plain)
        if missing:
            raise GoodhartError(
                f"{paths[0].parent if paths else 'checkpoint'}: no shard holds {min(missing)} (and "
                f"{len(missing) - 1} more weights); run the rule `assemble` again."
            )
        # A condition may take some modules of a shard and leave the others.
        ignored = set(model._keys_to_ignore_on_load_unexpected or ())
        model._keys_to_ignore_on_load_unexpected = ignored | {PARTS}

    def _process_model_after_weight_loading(self, model: Any, **_: Any) -> Any:
        """Prepare the layers, or dequantize them, one after another."""
        _refuse_disk(getattr(model, "hf_device_map", {}))
        for shard in dict.fromkeys(self._modules.values()):
            with shard:
                for module in (each for each, own in self._modules.items() if own is shard):
                    self._finish(model, module, shard)
        for name in self._copied:
            _copy(model, name)
        # The model keeps its quantizer, which need not keep every shard's header.
        self._modules, self._copied = {}, []
        give_back()
        return model

    def _finish(self, model: Any, module: str, shard: PackedShard) -> None:
        """Read a layer's parts and get it ready.

        On several devices transformers has put them there already, but as views of a mapped file
        (read through one, they stay resident), and where shards overlap perhaps those of another.
        """
        layer, dtype = model.get_submodule(module), model.config.dtype
        device = self._device or layer.codes.device
        if device.type != "meta":
            layer.hold({part: tensor.to(device) for part, tensor in shard.parts(module).items()})
        if self.quantization_config.dequantize:
            put(model, module, layer.dense(dtype, shard.dtype))
        else:
            layer.prepare(dtype)

    def param_needs_quantization(self, model: Any, param_name: str, **_: Any) -> bool:
        """Whether transformers must not mind the shape of a tensor: `_finish` reads it anyway."""
        return any(param_name.startswith(f"{module}.") for module in self._modules)

    def update_device_map(self, device_map: Any) -> Any:
        """Refuse early what `_refuse_disk` refuses."""
        _refuse_disk(device_map if isinstance(device_map, Mapping) else {})
        return device_map

    def is_serializable(self, **_: Any) -> bool:
        """Packed layouts are for one kind of device; the checkpoint's folder is what to copy."""
        return False

    @property
    def is_trainable(self) -> bool:
        """Codes have no gradient."""
        return False


def _one_device(device_map: Any) -> torch.device | None:
    """Where the whole model goes; None when it is spread, or transformers has yet to decide.

    Then parts need not be known to transformers, which would hold some kilobytes for each.
    """
    if device_map is None:
        return torch.device("cpu")
    places = set(device_map.values()) if isinstance(device_map, Mapping) else set()
    return torch.device(places.pop()) if len(places) == 1 and "disk" not in places else None


def _copy(model: nn.Module, name: str) -> None:
    """Give a weight on the CPU memory of its own, so that the map of its file is given up."""
    owner, _, key = name.rpartition(".")
    parameter = model.get_submodule(owner).get_parameter(key)
    if parameter.device.type == "cpu":
        parameter.data = parameter.data.clone()


def _refuse_disk(device_map: Mapping[str, Any]) -> None:
    """accelerate finds what it offloads to disk by the index, which names whole weights."""
    if "disk" in map(str, device_map.values()):
        raise GoodhartError(
            "device_map: compressed layers cannot stay on disk; let them stay on the CPU, packed."
        )


def register() -> None:
    """Make `quant_method: caldera` known to transformers, and `mode` a thing callers may choose."""
    if METHOD in auto.AUTO_QUANTIZER_MAPPING:
        return
    auto.register_quantization_config(METHOD)(CalderaConfig)
    auto.register_quantizer(METHOD)(CalderaQuantizer)
    choosers: Any = auto
    choosers.LOADING_ATTRIBUTES_CONFIG_TYPES = (
        *auto.LOADING_ATTRIBUTES_CONFIG_TYPES,
        CalderaConfig,
    )


register()
