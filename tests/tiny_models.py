"""Tiny random checkpoints of several architectures, complete enough to fetch, compress and run.

Each is a transformers checkpoint folder: safetensors weights, a real byte-level BPE tokenizer
trained on a few sentences, a chat template. The same arguments write the same bytes.

    python -m tests.tiny_models FOLDER [--family llama] [--blocks 4]
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

FAMILIES = ("llama", "qwen2", "mistral", "gemma2")

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are tiny.<|im_end|>\n' }}"
    "{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

SENTENCES = (
    "A shirt costs 25 dollars and is 20 % off; what does it cost now?",
    "The meeting starts at 2:45 PM and lasts one hour and a half.",
    "Alice is taller than Bob, and Bob is taller than Carol.",
    "First convert the miles to kilometres, then add two, then convert back.",
    "You are a helpful assistant. The user asks, the assistant answers.",
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer of about 400 tokens, with a ChatML template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        unk_token="<|endoftext|>",
        pad_token="<|im_end|>",
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def make_config(family: str, *, blocks: int, hidden: int, vocabulary: int) -> Any:
    """Return the configuration of a tiny model of `family`."""
    common = {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": blocks,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": hidden // 4,
        "max_position_embeddings": 1024,
        "initializer_range": 0.1,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }
    special: dict[str, dict[str, Any]] = {
        "llama": {"tie_word_embeddings": True},
        "qwen2": {"tie_word_embeddings": False},
        "mistral": {"tie_word_embeddings": False, "sliding_window": 16},
        "gemma2": {"tie_word_embeddings": True, "sliding_window": 16},
    }
    return AutoConfig.for_model(family, **common, **special[family])


def write_tiny_checkpoint(
    folder: Path,
    family: str = "llama",
    *,
    blocks: int = 4,
    hidden: int = 32,
    seed: int = 0,
    dtype: torch.dtype = torch.bfloat16,
    max_shard_size: str = "1GB",
) -> Path:
    """Write a tiny random checkpoint to `folder` and return it.

    `max_shard_size` smaller than the model gives an index and several weight files.
    """
    tokenizer = make_tokenizer()
    config = make_config(family, blocks=blocks, hidden=hidden, vocabulary=len(tokenizer))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(parameter, std=0.1)
    folder.mkdir(parents=True, exist_ok=True)
    model.to(dtype).save_pretrained(folder, max_shard_size=max_shard_size)
    tokenizer.save_pretrained(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--family", choices=FAMILIES, default="llama")
    parser.add_argument("--blocks", type=int, default=4)
    args = parser.parse_args()
    write_tiny_checkpoint(args.folder, args.family, blocks=args.blocks)


if __name__ == "__main__":
    main()
