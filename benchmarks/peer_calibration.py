"""Hessians in the original's way: one forward pass of the whole model for every module.

    seconds = module_pass(model, tokens, "model.layers.15.mlp.down_proj")

Ours runs a block once over the same tokens and sums up all of its inputs on the way
(`streamed`, by the function that the workflow calls).
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from goodhart_gap.calibration.hessians import HessianJob, accumulate_hessians
from goodhart_gap.models.skeleton import read_config

TOKENS_AT_ONCE = 4096
"""As many as ours takes."""


def some_tokens(tokens: Path, sequences: int, folder: Path) -> Path:
    """Write the first `sequences` of the tokens to train on, and an eighth of that held out."""
    parts = load_file(tokens)
    chosen = {
        "train": parts["train"][:sequences].contiguous(),
        "held_out": parts["held_out"][: max(1, sequences // 7)].contiguous(),
    }
    path = folder / "tokens.safetensors"
    save_file(chosen, path)
    return path


@torch.inference_mode()
def module_pass(model: Any, tokens: Path, module: str) -> float:
    """Seconds of a pass of all blocks that sums up X^T X of `module` for both splits.

    The output matrix is spared, which the original's way did not do.
    """
    started = time.perf_counter()
    for ids in load_file(tokens).values():
        total: list[torch.Tensor] = []

        def add(_: torch.nn.Module, args: tuple[torch.Tensor, ...], total: Any = total) -> None:
            inputs = args[0].flatten(0, -2).float()
            product = inputs.T @ inputs
            total[:] = [product] if not total else [total[0].add_(product)]

        hook = model.get_submodule(module).register_forward_pre_hook(add)
        try:
            for batch in ids.long().split(max(1, TOKENS_AT_ONCE // ids.shape[1])):
                model.get_decoder()(input_ids=batch, use_cache=False)
        finally:
            hook.remove()
        total[0].div_(ids.numel())
    return time.perf_counter() - started


def streamed(base: Path, tokens: Path, blocks: int) -> float:
    """Seconds of ours for the first `blocks` blocks, files written and all."""
    (shard,) = base.glob("blocks000-*.safetensors")
    with tempfile.TemporaryDirectory(dir=tokens.parent) as folder:
        job = HessianJob(
            shard=f"blocks000-{blocks - 1:03d}",
            tokens=tokens,
            embeddings=base / "embeddings.safetensors",
            before=None,
            weights=shard,
            hessians=Path(folder) / "hessians.safetensors",
            after=Path(folder) / "after.safetensors",
        )
        started = time.perf_counter()
        accumulate_hessians(read_config(base), job, "", "cpu")
        return time.perf_counter() - started
