"""The dense weights as a GGUF file for llama.cpp: bfloat16 as they are, vectors in float32.

What such a file holds is the compressed model's function, not its size: the GGUF formats that are
as small have grids of their own, and rounding to one would make another model.

Families: `llama`, `mistral` (which llama.cpp runs as `llama`, without sliding windows) and `qwen2`.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json
from goodhart_gap.models.tensor_files import read_header
from goodhart_gap.runtime.chosen import chosen_weights, dense_weights

log = logging.getLogger(__name__)

ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "mistral": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
}

_BF16, _F32 = gguf.GGMLQuantizationType.BF16, gguf.GGMLQuantizationType.F32


def export_gguf(
    shards: Sequence[Path], index: Path | None, config: Path, tokenizer: Path, path: Path
) -> None:
    """Write the checkpoint of `shards` to `path`; `tokenizer` is the folder of tokenizer.json.

    One dense weight is in memory at a time. Raises GoodhartError for a model or tokenizer that has
    no counterpart.
    """
    values = read_json(config)
    architecture = _architecture(values, config)
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture])
    _add_model(writer, values)
    _add_tokenizer(writer, tokenizer, values)
    names = _Names(architecture, values)
    for name, shape in _shapes(shards, index):
        kind = _kind(shape)
        writer.add_tensor_info(
            names.of(name),
            _stored_shape(shape, kind),
            np.dtype(np.uint8 if kind == _BF16 else np.float32),
            int(np.prod(shape)) * (2 if kind == _BF16 else 4),
            raw_dtype=kind,
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, name, tensor in dense_weights(shards, index):
        writer.write_tensor_data(_bytes(names.ordered(name, tensor)))
    writer.close()


class _Names:
    """Names of weights in a GGUF file, and the order of rows that llama.cpp wants."""

    def __init__(self, architecture: Any, config: dict[str, Any]) -> None:
        self._map = gguf.get_tensor_name_map(architecture, config["num_hidden_layers"])
        heads = config["num_attention_heads"]
        self._heads = {
            "q_proj": heads,
            "k_proj": config.get("num_key_value_heads") or heads,
        }
        self._interleaved = architecture == gguf.MODEL_ARCH.LLAMA

    def of(self, name: str) -> str:
        found = self._map.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise GoodhartError(
                f"{name}: has no name in GGUF for this architecture; export the condition as dense."
            )
        return str(found)

    def ordered(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """llama.cpp turns neighbouring rows of a head by rotary angles, transformers halves."""
        heads = self._heads.get(name.split(".")[-2])
        if not self._interleaved or heads is None:
            return tensor
        halves = tensor.view(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:])
        return halves.transpose(1, 2).reshape(tensor.shape)


def _architecture(values: dict[str, Any], config: Path) -> Any:
    family = values.get("model_type")
    if family not in ARCHITECTURES:
        raise GoodhartError(
            f"{config}: model_type {family!r} is not exported to GGUF (only "
            f"{', '.join(ARCHITECTURES)}); export the condition as dense and use llama.cpp's own "
            "converter."
        )
    window, room = values.get("sliding_window"), values["max_position_embeddings"]
    if window is not None and values.get("use_sliding_window", True) and window < room:
        raise GoodhartError(
            f"{config}: sliding_window {window} is less than the {room} positions, and llama.cpp "
            "would attend to all of them; export the condition as dense."
        )
    rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
    if rope.get("rope_type", "default") != "default":
        raise GoodhartError(
            f"{config}: rope_type {rope['rope_type']!r} is not exported to GGUF here; export the "
            "condition as dense and use llama.cpp's own converter."
        )
    return ARCHITECTURES[family]


def _add_model(writer: Any, values: dict[str, Any]) -> None:
    heads = values["num_attention_heads"]
    width = values.get("head_dim") or values["hidden_size"] // heads
    rope = values.get("rope_parameters") or {}
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_block_count(values["num_hidden_layers"])
    writer.add_context_length(values["max_position_embeddings"])
    writer.add_embedding_length(values["hidden_size"])
    writer.add_feed_forward_length(values["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(values.get("num_key_value_heads") or heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(rope.get("rope_theta") or values.get("rope_theta") or 10000.0)
    writer.add_layer_norm_rms_eps(values["rms_norm_eps"])
    writer.add_vocab_size(values["vocab_size"])


def _add_tokenizer(writer: Any, folder: Path, values: dict[str, Any]) -> None:
    """Add a byte-level BPE vocabulary; other kinds have no plain counterpart."""
    content = read_json(folder / "tokenizer.json")
    model = content["model"]
    if model["type"] != "BPE" or model.get("byte_fallback"):
        raise GoodhartError(
            f"{folder / 'tokenizer.json'}: only byte-level BPE tokenizers are exported to GGUF; "
            "export the condition as dense and use llama.cpp's own converter."
        )
    special = {token["id"]: token for token in content.get("added_tokens", ())}
    texts = {number: text for text, number in model["vocab"].items()}
    texts |= {number: token["content"] for number, token in special.items()}
    tokens, kinds = [], []
    for number in range(values["vocab_size"]):
        tokens.append(texts.get(number, f"[PAD{number}]"))
        if number in special:
            control = special[number]["special"]
            kinds.append(gguf.TokenType.CONTROL if control else gguf.TokenType.USER_DEFINED)
        else:
            kinds.append(gguf.TokenType.NORMAL if number in texts else gguf.TokenType.UNUSED)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_splitting(content, values))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    for name, add in (
        ("bos_token_id", writer.add_bos_token_id),
        ("eos_token_id", writer.add_eos_token_id),
        ("pad_token_id", writer.add_pad_token_id),
    ):
        found = values.get(name)
        if found is not None:
            add(found[0] if isinstance(found, list) else found)
    template = folder / "chat_template.jinja"
    if template.exists() and template.read_text(encoding="utf-8"):
        writer.add_chat_template(template.read_text(encoding="utf-8"))


def _splitting(content: dict[str, Any], values: dict[str, Any]) -> str:
    """Name of the rule by which llama.cpp splits text before merging."""
    step = content.get("pre_tokenizer") or {}
    steps = step["pretokenizers"] if step.get("type") == "Sequence" else [step]
    kinds = [each.get("type") for each in steps]
    if values["model_type"] == "qwen2" and kinds[0] == "Split":
        return "qwen2"
    if kinds[-1] == "ByteLevel" and steps[-1].get("use_regex", True):
        if kinds == ["ByteLevel"]:
            return "gpt-2"
        if kinds == ["Digits", "ByteLevel"] and steps[0].get("individual_digits"):
            return "smollm"
    log.warning(
        "tokenizer: llama.cpp's rule for splitting text is not known for this tokenizer, so its "
        "default is named; compare token ids before use."
    )
    return "default"


def _shapes(shards: Sequence[Path], index: Path | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every dense weight, in the order of `dense_weights`."""
    from goodhart_gap.runtime.packed_shard import PackedShard

    for path, wanted in chosen_weights(shards, index):
        header = read_header(path)
        if "caldera" not in header.metadata:
            plain = list(_opened_names(path))
            modules: dict[str, Any] = {}
        else:
            shard = PackedShard(path)
            plain, modules = _opened_names(path, set(shard.plain)), shard.record.modules
        for name in plain:
            if name in wanted:
                yield name, tuple(header.tensors[name]["shape"])
        for module, record in modules.items():
            if f"{module}.weight" in wanted:
                yield f"{module}.weight", record.shape


def _opened_names(path: Path, among: set[str] | None = None) -> list[str]:
    """Names in the order in which safetensors gives them."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return [name for name in file.keys() if among is None or name in among]  # noqa: SIM118


def _kind(shape: tuple[int, ...]) -> Any:
    return _F32 if len(shape) == 1 else _BF16


def _stored_shape(shape: tuple[int, ...], kind: Any) -> tuple[int, ...]:
    """gguf is told the shape of the bytes."""
    return (*shape[:-1], shape[-1] * 2) if kind == _BF16 else shape


def _bytes(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    if tensor.dim() == 1:
        return tensor.float().numpy()
    return tensor.to(torch.bfloat16).contiguous().view(torch.uint8).numpy()
