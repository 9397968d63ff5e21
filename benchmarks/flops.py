"""Operations of a decoder, counted from its config.json: what the stages' bounds are made of.

A multiplication and an addition are two. Normalisations, rotary embeddings and softmax are left
out: they are a hundredth of the products. Attention is counted over the positions it needs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Sizes:
    """The sizes of a decoder with grouped-query attention and a gated feed-forward part."""

    blocks: int
    hidden: int
    intermediate: int
    queries: int
    """Width of all query heads together."""
    keys: int
    """Width of all key heads together."""
    vocabulary: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Read them from the content of a config.json."""
        heads = config["num_attention_heads"]
        width = config.get("head_dim") or config["hidden_size"] // heads
        return cls(
            blocks=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            intermediate=config["intermediate_size"],
            queries=heads * width,
            keys=config["num_key_value_heads"] * width,
            vocabulary=config["vocab_size"],
        )

    def linears(self) -> dict[str, tuple[int, int]]:
        """Outputs and inputs of the linear layers of a block, by name."""
        return {
            "q_proj": (self.queries, self.hidden),
            "k_proj": (self.keys, self.hidden),
            "v_proj": (self.keys, self.hidden),
            "o_proj": (self.hidden, self.queries),
            "gate_proj": (self.intermediate, self.hidden),
            "up_proj": (self.intermediate, self.hidden),
            "down_proj": (self.hidden, self.intermediate),
        }

    def inputs(self) -> tuple[int, ...]:
        """Widths of the inputs that a block's linear layers have: q/k/v and gate/up share one."""
        return self.hidden, self.queries, self.hidden, self.intermediate


def block_products(sizes: Sizes) -> int:
    """Operations of all blocks' linear layers for one token."""
    return 2 * sizes.blocks * sum(rows * columns for rows, columns in sizes.linears().values())


def attention(sizes: Sizes, positions: int) -> int:
    """Operations of all blocks' attention when queries look at `positions` keys in total."""
    return 4 * sizes.blocks * sizes.queries * positions


def output(sizes: Sizes) -> int:
    """Operations of the output matrix for one position."""
    return 2 * sizes.vocabulary * sizes.hidden


def triangle(count: int) -> int:
    """1 + 2 + ... + count: keys that `count` tokens in a row look at."""
    return count * (count + 1) // 2


def prompt_pass(sizes: Sizes, tokens: int) -> int:
    """Operations of a prompt of `tokens`, up to the logits of its last position."""
    return (
        tokens * block_products(sizes)
        + attention(sizes, triangle(tokens))
        + (output(sizes) if tokens else 0)
    )


def response(sizes: Sizes, prompt: int, tokens: int) -> int:
    """Operations of a response of `tokens` after a prompt that has been run: each but the first."""
    steps = max(0, tokens - 1)
    seen = steps * prompt + triangle(steps)
    return steps * (block_products(sizes) + output(sizes)) + attention(sizes, seen)


def sampling(sizes: Sizes, prompts: Iterable[int], responses: Iterable[tuple[int, int]]) -> int:
    """Operations of sampling: every prompt once, then its responses (prompt length, tokens)."""
    first = sum(prompt_pass(sizes, length) for length in prompts)
    return first + sum(response(sizes, length, tokens) for length, tokens in responses)


def calibration_forward(sizes: Sizes, sequences: int, length: int) -> int:
    """Operations of all blocks over calibration sequences, without the output matrix."""
    each = length * block_products(sizes) + attention(sizes, triangle(length))
    return sequences * each


def hessian_products(sizes: Sizes, tokens: int) -> int:
    """Operations of X^T X of every distinct input, the triangle of a symmetric product only."""
    return tokens * sizes.blocks * sum(width * (width + 1) for width in sizes.inputs())


def compression(shapes: Iterable[tuple[int, int]], iterations: int) -> int:
    """Least operations of an error-feedback pass and of measuring tr(E H E^T), each iteration.

    For [rows, columns]: columns^2 rows for the corrections, and twice that for a product with H.
    """
    return sum(3 * rows * columns**2 * iterations for rows, columns in shapes)
