"""Run a decoder block by block, with no more than one block's weights in memory.

    decoder = Decoder(read_config(folder))
    with WeightFile(folder / "embeddings.safetensors") as weights:
        hidden = decoder.embed(tokens, weights)
    calls = decoder.block_calls(hidden)
    with WeightFile(folder / "blocks000-003.safetensors") as weights:
        with decoder.loaded_block(0, weights) as block:
            hidden = calls[0].run(block, hidden)

What a block is called with (masks, rotary embeddings) differs between architectures. It is not
rebuilt here but recorded: the model's own forward runs once with every block standing still.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import nn

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.anatomy import find_anatomy
from goodhart_gap.models.folder import open_weights
from goodhart_gap.models.number_format import number_format
from goodhart_gap.models.skeleton import empty_model


class WeightFile:
    """The tensors of a safetensors file, each read when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        self._file = open_weights(self.path)
        self._handle = self._file.__enter__()
        self.names = set(self._handle.keys())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.__exit__(kind, error, trace)

    def read(self, name: str) -> torch.Tensor:
        """Return a tensor as stored. Raises GoodhartError when the file has no such tensor."""
        if name not in self.names:
            raise GoodhartError(f"{self.path}: has no weight {name}; delete it and run again.")
        return self._handle.get_tensor(name)


@dataclass(frozen=True)
class BlockCall:
    """What the model's forward calls a block with, beside the hidden states."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def run(self, block: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        """Return the block's output [batch, tokens, width] for input of the same shape."""
        output = block(hidden, *self.args, **self.kwargs)
        return output[0] if isinstance(output, tuple) else output


class Decoder:
    """A decoder-only model whose weights come and go."""

    def __init__(
        self, config: Any, dtype: str = "auto", device: str | torch.device = "cpu"
    ) -> None:
        """`dtype` is a torch name, or `auto`: see `goodhart_gap.models.number_format`."""
        self.dtype = number_format(dtype, config.dtype, device)
        self.device = torch.device(device)
        self.model = empty_model(config, self.dtype)
        self.anatomy = find_anatomy(self.model)
        self.blocks: list[Any] = list(self.model.get_submodule(self.anatomy.blocks).children())
        for module in self.model.modules():
            for name, buffer in module.named_buffers(recurse=False):
                module._buffers[name] = buffer.to(self.device)

    @torch.inference_mode()
    def embed(self, tokens: torch.Tensor, weights: WeightFile) -> torch.Tensor:
        """Return the first block's input [batch, tokens, width] for token ids [batch, tokens]."""
        with self._loaded([self.anatomy.embedding], weights):
            return self._record(input_ids=tokens.to(self.device))[1]

    @torch.inference_mode()
    def block_calls(self, hidden: torch.Tensor) -> list[BlockCall]:
        """Return how each block is called for hidden states of this shape [batch, tokens, width].

        Only the shape matters: sequences have no padding and start at position 0.
        """
        return self._record(inputs_embeds=hidden.to(self.device))[0]

    @torch.inference_mode()
    def logits(self, hidden: torch.Tensor, weights: WeightFile) -> torch.Tensor:
        """Return the logits [batch, tokens, vocabulary] for the last block's output `hidden`.

        The model's own forward does it, with the last block handing over `hidden`, so what an
        architecture adds around its head (soft caps, scales) is there.
        """
        # Not the embedding: hidden states are handed over, and a tied head reads its own copy.
        outside = [*self.anatomy.norms, self.anatomy.head]

        def hand_over(index: int, ignored: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            return hidden

        with self._loaded(outside, weights), _forwards_replaced(self.blocks, hand_over):
            return self.model(inputs_embeds=hidden, use_cache=False).logits

    @contextmanager
    def loaded_block(self, index: int, weights: WeightFile) -> Iterator[nn.Module]:
        """Give a block with its weights in place, and drop them afterwards."""
        with self._loaded([self.anatomy.block(index)], weights):
            yield self.blocks[index]

    def _record(self, **inputs: torch.Tensor) -> tuple[list[BlockCall], torch.Tensor]:
        """Run the decoder with its blocks standing still; return their calls and their input."""
        calls: list[BlockCall] = []

        def stand_still(index: int, hidden: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            calls.append(BlockCall(args, kwargs))
            if index == len(self.blocks) - 1:
                raise _RecordedAll(hidden)
            return hidden

        decoder = self.model.get_submodule(self.anatomy.decoder)
        with _forwards_replaced(self.blocks, stand_still):
            try:
                decoder(**inputs, use_cache=False)
            except _RecordedAll as recorded:
                return calls, recorded.hidden
        raise GoodhartError(
            f"{type(decoder).__name__}: its forward did not call every block; this architecture is "
            "not supported."
        )

    @contextmanager
    def _loaded(self, modules: Sequence[str], weights: WeightFile) -> Iterator[None]:
        """Put the weights of the named modules in place, and back on the meta device afterwards."""
        tied = self.model.all_tied_weights_keys
        homes: list[tuple[nn.Module, str, nn.Parameter]] = []
        try:
            for root in modules:
                for name, empty in self.model.get_submodule(root).named_parameters(prefix=root):
                    parent, _, key = name.rpartition(".")
                    module = self.model.get_submodule(parent)
                    stored = weights.read(tied.get(name, name))
                    value = stored.to(self.device, self.dtype)
                    homes.append((module, key, empty))
                    module.register_parameter(key, nn.Parameter(value, requires_grad=False))
            yield
        finally:
            for module, key, empty in homes:
                module.register_parameter(key, empty)


class _RecordedAll(Exception):
    """Ends a recording: every block has been called, what comes after has no weights."""

    def __init__(self, hidden: torch.Tensor) -> None:
        super().__init__()
        self.hidden = hidden


@contextmanager
def _forwards_replaced(blocks: Sequence[Any], forward: Callable[..., Any]) -> Iterator[None]:
    """Let each block call `forward(index, hidden, ...)` in place of its own forward."""
    for index, block in enumerate(blocks):
        block.forward = partial(forward, index)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def shared_inputs(
    block: nn.Module, names: Sequence[str], run: Callable[[], Any]
) -> list[list[str]]:
    """Return the linear layers of `block` grouped by shared input, in the order they are called.

    Layers share an input when, while `run()` runs the block, they are handed the very same tensor
    (query, key and value; gate and up). Raises GoodhartError for a layer not called exactly once.
    """
    called: list[tuple[str, torch.Tensor]] = []

    def note(name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        called.append((name, args[0]))

    hooks = [
        block.get_submodule(name).register_forward_pre_hook(partial(note, name)) for name in names
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    if sorted(name for name, _ in called) != sorted(names):
        odd = sorted(set(names) ^ {name for name, _ in called}) or [name for name, _ in called]
        raise GoodhartError(
            f"{type(block).__name__}.{odd[0]}: not called exactly once in a forward pass; this "
            "architecture is not supported."
        )
    groups: list[tuple[torch.Tensor, list[str]]] = []
    for name, tensor in called:
        for seen, group in groups:
            if seen is tensor:
                group.append(name)
                break
        else:
            groups.append((tensor, [name]))
    return [group for _, group in groups]
