"""From a prompt to token ids in a model's chat format, and the tokens that end a response."""

from typing import Any


def encode(tokenizer: Any, text: str, system_prompt: str | None) -> list[int]:
    """Return the token ids of a prompt in the model's chat format, ready for a response.

    A tokenizer without chat template gets the bare text; a system prompt then stands before it.
    """
    if tokenizer.chat_template is None:
        parts = [part for part in (system_prompt, text) if part]
        return list(tokenizer("\n\n".join(parts))["input_ids"])
    messages = [{"role": "user", "content": text}]
    if system_prompt is not None:
        messages.insert(0, {"role": "system", "content": system_prompt})
    encoded = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_dict=True, tokenize=True
    )
    return list(encoded["input_ids"])


def stop_tokens(*sources: Any) -> frozenset[int]:
    """Return every token that ends a response.

    `sources` have an `eos_token_id` (one or several): generation config, config, tokenizer.
    """
    found: set[int] = set()
    for source in sources:
        ids = getattr(source, "eos_token_id", None)
        found |= set(ids) if isinstance(ids, list | tuple) else set() if ids is None else {ids}
    return frozenset(found)
