"""What a GPU would make of compressing a block of Qwen2-72B, had the rule one: no rule has.

    python -m benchmarks.gpu_block --output gpu_block.json
    python -m benchmarks.gpu_block --toy --device cpu

Rule compress_shard runs on CPUs, and the searches of the lattice and the trellis exist for CPUs
only. So this is a projection, for the scalar quantizer alone: seconds, peak memory, and hours for
all 80 blocks if the same functions were called on tensors of the device. It says nothing of how
long the rule takes.

Weights are random, inputs are random and correlated: the time does not depend on their values.
Measured are accumulating X^T X for each distinct input of the block, and for each weight the
factorization of the Hessian, the low-rank fit and error feedback with the scalar quantizer.
The forward pass of calibration is not: it is the model's own and is counted by its operations
at the rate measured for X^T X.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.settings import MatrixSettings

BLOCKS = 80

CAVEAT = (
    "a projection for the scalar quantizer if compress_shard ran on such a device; it runs on CPUs"
)
"""What the summary says of itself."""

INPUTS = {
    "attention": ("q_proj", "k_proj", "v_proj"),
    "output": ("o_proj",),
    "mlp": ("gate_proj", "up_proj"),
    "down": ("down_proj",),
}
"""Distinct inputs of a block, and the weights that share each."""


def shapes(hidden: int, kv: int, wide: int) -> dict[str, tuple[int, int]]:
    """Outputs and inputs of a block's weights."""
    return {
        "q_proj": (hidden, hidden),
        "k_proj": (kv, hidden),
        "v_proj": (kv, hidden),
        "o_proj": (hidden, hidden),
        "gate_proj": (wide, hidden),
        "up_proj": (wide, hidden),
        "down_proj": (hidden, wide),
    }


def measure(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each X^T X and each weight."""
    device = torch.device(arguments.device)
    block = shapes(64, 32, 128) if arguments.toy else shapes(8192, 1024, 29568)
    settings = MatrixSettings(bits=4, group_size=64, rank=8 if arguments.toy else arguments.rank)
    generator = torch.Generator(device).manual_seed(0)
    for name, weights in INPUTS.items():
        columns = block[weights[0]][1]
        start = _now(device)
        hessian = torch.zeros(columns, columns, device=device)
        strength = torch.rand(columns, device=device, generator=generator) + 0.1
        done = 0
        while done < arguments.tokens:
            count = min(4096, arguments.tokens - done)
            values = torch.randn(count, columns, device=device, generator=generator) * strength
            values[:, 1:] += 0.3 * values[:, :-1]
            hessian.addmm_(values.T, values)
            done += count
        yield {
            "what": f"X^T X of {name}",
            "seconds": _now(device) - start,
            "operations": 2 * arguments.tokens * columns**2,
        }
        start = _now(device)
        metric = Metric(hessian / arguments.tokens, settings.damping)
        for weight in weights:
            matrix = torch.randn(block[weight], device=device, generator=generator) / columns**0.5
            found = compress_matrix(matrix.bfloat16(), metric, settings, weight)
            error = float((found.dense() - matrix).norm() / matrix.norm())
            yield {"what": weight, "seconds": _now(device) - start, "relative_error": error}
            del matrix, found
            start = _now(device)
        del hessian, metric


def project(
    found: Sequence[dict[str, Any]], arguments: argparse.Namespace, parameters: int
) -> dict[str, Any]:
    """Hours for all blocks if `--gpus` devices each took every n-th shard; see the module."""
    weights = sum(row["seconds"] for row in found if "operations" not in row)
    products = [row for row in found if "operations" in row]
    hessians = sum(row["seconds"] for row in products)
    rate = sum(row["operations"] for row in products) / hessians
    forward = 2 * arguments.tokens * parameters / rate
    block = weights + hessians + forward
    return {
        "what": CAVEAT,
        "block_seconds": block,
        "of_which_hessians": hessians,
        "of_which_forward_estimated": forward,
        "peak_bytes": _peak(arguments.device),
        "blocks": BLOCKS,
        "gpus": arguments.gpus,
        # Hessians are chained from block to block; weights are not, so only they are shared out.
        "projected_hours": BLOCKS * (hessians + forward + weights / arguments.gpus) / 3600,
    }


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _peak(device: str) -> int:
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(words: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--toy", action="store_true", help="a tiny block: does it run at all")
    parser.add_argument("--tokens", type=int, default=128 * 2048)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--gpus", type=int, default=2)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args(words)
    found = []
    with torch.inference_mode():
        for row in measure(arguments):
            found.append(row)
            print(json.dumps(row), flush=True)
    block = shapes(64, 32, 128) if arguments.toy else shapes(8192, 1024, 29568)
    summary = project(found, arguments, sum(rows * columns for rows, columns in block.values()))
    summary["rows"] = found
    print(json.dumps({key: value for key, value in summary.items() if key != "rows"}, indent=2))
    if arguments.output:
        arguments.output.write_text(json.dumps(summary, indent=2), encoding="utf-8")
    return summary


if __name__ == "__main__":
    main()
