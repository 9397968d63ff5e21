"""Random checkpoints in our own layout, as narrow and as deep as asked for.

What the fetching rules leave behind, written directly: their time is not measured here, and for a
deep model they take longer than what is.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, GenerationConfig, PreTrainedTokenizerFast

from goodhart_gap.files import write_json
from goodhart_gap.models.fingerprints import fingerprint_model, fingerprint_shard
from goodhart_gap.models.shards import shard_names, shard_of
from goodhart_gap.models.skeleton import empty_model, weight_names
from goodhart_gap.provenance.settings import ModelSizes

TEMPLATE = (
    "{% for message in messages %}<s>{{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>{% endif %}"
)
SPREAD = 0.1
"""Standard deviation of the weights."""


def sizes_of(hidden: int) -> ModelSizes:
    """Return the sizes of a model of a width: half as many keys as queries, a doubled MLP."""
    return ModelSizes(
        hidden=hidden,
        intermediate=2 * hidden,
        queries=hidden,
        keys=hidden // 2,
        vocabulary=len(tokenizer()),
        tied=True,
    )


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of single bytes with a chat template."""
    special = ["<s>", "</s>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*special, *alphabet])}
    made = Tokenizer(models.BPE(vocabulary, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(special)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    wrapped.chat_template = TEMPLATE
    return wrapped


def write_base(folder: Path, *, blocks: int, blocks_per_shard: int, hidden: int) -> Path:
    """Write a random model to `folder`; return it."""
    folder.mkdir(parents=True)
    sizes = sizes_of(hidden)
    config = AutoConfig.for_model(
        "llama",
        vocab_size=sizes.vocabulary,
        hidden_size=hidden,
        intermediate_size=sizes.intermediate,
        num_hidden_layers=blocks,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=hidden // 4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        architectures=["LlamaForCausalLM"],
        dtype=torch.bfloat16,
    )
    config.save_pretrained(folder)
    GenerationConfig(eos_token_id=1, pad_token_id=1).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    shards: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in weights(empty_model(config)).items():
        shards.setdefault(shard_of(name, blocks, blocks_per_shard), {})[name] = tensor
    records = []
    for shard in shard_names(blocks, blocks_per_shard):
        path = folder / f"{shard}.safetensors"
        save_file(shards.pop(shard), path, metadata={"format": "pt"})
        records.append(fingerprint_shard(path, shard))
        write_json(folder / f"{shard}.fingerprint.json", records[-1])
    write_json(folder / "fingerprint.json", fingerprint_model(records))
    return folder


def weights(model: Any) -> dict[str, torch.Tensor]:
    """Draw the weights that a checkpoint of `model` stores, in the order of their names."""
    generator = torch.Generator().manual_seed(0)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    return {
        name: torch.ones(shapes[name], dtype=torch.bfloat16)
        if len(shapes[name]) == 1
        else torch.randn(shapes[name], generator=generator).mul_(SPREAD).bfloat16()
        for name in sorted(weight_names(model))
    }


def write_tokens(path: Path, train: int, held_out: int, length: int) -> None:
    """Write random calibration tokens: sequences of `length` for both splits."""
    generator = torch.Generator().manual_seed(1)
    high = len(tokenizer())
    save_file(
        {
            split: torch.randint(0, high, (rows, length), generator=generator, dtype=torch.int32)
            for split, rows in (("train", train), ("held_out", held_out))
        },
        path,
    )
