"""What is where in a decoder, found by structure: blocks, embedding, final norm, head, linears.

A decoder-only language model is a list of blocks of one type, an embedding before it, a norm and a
linear head after it. Inside a block, weight matrices belong to linear layers, and what else has
weights is a vector (norms). Names play no part, so Llama, Qwen2, Mistral and Gemma need no tables;
a module that does not fit (experts, convolutions, a second embedding) is named in the error.
"""

from dataclasses import dataclass
from typing import Any

from torch import nn

from goodhart_gap.errors import GoodhartError


@dataclass(frozen=True)
class Anatomy:
    """Dotted names of the parts of a decoder."""

    blocks: str
    """The list of blocks, e.g. `model.layers`."""

    decoder: str
    """The module that runs the blocks one after another, e.g. `model`."""

    embedding: str
    """The token embedding."""

    norms: tuple[str, ...]
    """Vectors outside the blocks: the final norm."""

    head: str
    """The linear layer from the last hidden state to the vocabulary."""

    linears: tuple[tuple[str, ...], ...]
    """For each block, the names of its linear layers relative to the block, in order."""

    def block(self, index: int) -> str:
        """Return the dotted name of a block."""
        return f"{self.blocks}.{index}"

    def modules(self, index: int) -> tuple[str, ...]:
        """Return the full dotted names of a block's linear layers."""
        return tuple(f"{self.block(index)}.{name}" for name in self.linears[index])


def find_anatomy(model: nn.Module) -> Anatomy:
    """Return the parts of `model`. Raises GoodhartError naming the module that has no place."""
    blocks_name, blocks = _block_list(model)
    linears = tuple(_linears(f"{blocks_name}.{i}", block) for i, block in enumerate(blocks))
    embeddings, heads, norms = [], [], []
    for name, module in _outside(model, blocks_name):
        if isinstance(module, nn.Embedding):
            embeddings.append(name)
        elif isinstance(module, nn.Linear):
            heads.append(name)
        elif _only_vectors(module):
            norms.append(name)
        else:
            raise _misfit(name, module, "outside the blocks, neither embedding, norm nor head")
    for part, found in (("embedding", embeddings), ("head", heads)):
        if len(found) != 1:
            raise GoodhartError(
                f"{type(model).__name__}: expected one {part} outside the blocks, found "
                f"{', '.join(found) or 'none'}; this architecture is not supported."
            )
    return Anatomy(
        blocks=blocks_name,
        decoder=blocks_name.rpartition(".")[0],
        embedding=embeddings[0],
        norms=tuple(norms),
        head=heads[0],
        linears=linears,
    )


def _block_list(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """Return the one outermost list of modules of equal type that contain linear layers."""
    found: dict[str, nn.ModuleList] = {}
    for name, module in model.named_modules():
        nested = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, nn.ModuleList) and not nested and _is_block_list(module):
            found[name] = module
    if len(found) != 1:
        raise GoodhartError(
            f"{type(model).__name__}: expected one list of blocks that hold linear layers, found "
            f"{', '.join(found) or 'none'}; this architecture is not supported."
        )
    return next(iter(found.items()))


def _is_block_list(modules: nn.ModuleList) -> bool:
    return len({type(module) for module in modules}) == 1 and all(
        any(isinstance(part, nn.Linear) for part in module.modules()) for module in modules
    )


def _linears(block_name: str, block: nn.Module) -> tuple[str, ...]:
    """Return the block's linear layers, having placed everything else that has weights."""
    linears = []
    for name, module in block.named_modules():
        if isinstance(module, nn.ModuleList):
            raise _misfit(f"{block_name}.{name}", module, "a list inside a block (experts?)")
        if isinstance(module, nn.Linear):
            linears.append(name)
        elif not _only_vectors(module):
            raise _misfit(f"{block_name}.{name}", module, "in a block, neither linear nor norm")
    return tuple(linears)


def _outside(model: nn.Module, blocks_name: str) -> list[tuple[str, Any]]:
    """Return the modules outside the blocks that have weights of their own."""
    return [
        (name, module)
        for name, module in model.named_modules()
        if not name.startswith(f"{blocks_name}.")
        and next(module.parameters(recurse=False), None) is not None
    ]


def _only_vectors(module: nn.Module) -> bool:
    return all(parameter.dim() <= 1 for parameter in module.parameters(recurse=False))


def _misfit(name: str, module: nn.Module, where: str) -> GoodhartError:
    return GoodhartError(
        f"{name} ({type(module).__name__}): cannot place this module ({where}); use a dense "
        "decoder-only model such as Llama, Qwen2, Mistral or Gemma."
    )
