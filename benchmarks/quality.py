"""Error, perplexity, time, memory and measured bits of every way to compress a model.

    python -m benchmarks.quality --base results/models/smollm2-135m/base \
        --calibration results/models/smollm2-135m/calibration --bits 2 3 4

Prints a table and writes it as CSV. Each row compresses every matrix (or those of `--blocks`) in a
process of its own, so that its peak memory is its own. The error is the mean over matrices of
||(W - W^) X|| / ||W X|| on held-out tokens; the bits count everything stored for the matrices; the
perplexity is of the whole model on the held-out tokens.
"""

import argparse
import csv
import math
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from benchmarks import paper_caldera
from safetensors import safe_open
from safetensors.torch import load_file

from goodhart_gap.compression.accounting import stored_bytes
from goodhart_gap.compression.caldera import compress_matrix
from goodhart_gap.compression.fidelity import measure
from goodhart_gap.compression.hessians import HessianFile
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.files import read_json
from goodhart_gap.models.fingerprints import linear_shapes
from goodhart_gap.models.shards import block_of
from goodhart_gap.runtime.load import load_model

PLAIN = {"group_size": 128, "symmetric": True}
WAYS: dict[str, dict[str, object] | None] = {
    "rtn": {"method": "rtn", **PLAIN},
    "svd-residual": {"method": "svd-residual", "rank": 64, "factor_bits": 4, **PLAIN},
    "gptq": {"method": "gptq", "group_size": 128},
    "paper": None,
    "ours": {
        "codebook": "trellis",
        "hadamard": True,
        "rank": 32,
        "factor_bits": 2,
        "group_size": 4096,
        "iterations": 1,
    },
}
"""Settings of each way; `paper` is benchmarks/paper_caldera.py."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    way: str
    bits: int
    matrices: int
    bits_per_parameter: float
    held_out_error: float
    perplexity: float
    seconds_per_matrix: float
    peak_memory_mb: float


def measure_way(
    way: str, bits: int, base: Path, calibration: Path, blocks: list[int] | None, threads: int
) -> Row:
    """Compress in one way and measure; runs in a process of its own."""
    torch.set_num_threads(threads)
    model = load_model(
        base / "config.json", base / "fingerprint.json", _shards(base), dtype="float32"
    )
    parameters = dict(model.named_parameters())
    errors, spent_s, size, weights = [], 0.0, 0, 0
    for path in _shards(base):
        if path.stem == "embeddings":
            continue
        shapes = linear_shapes(read_json(base / f"{path.stem}.fingerprint.json"))
        hessians = calibration / "hessians" / path.name
        with safe_open(path, framework="pt") as file, HessianFile(hessians) as calibrated:
            for module, shape in shapes.items():
                if blocks is not None and block_of(module) not in blocks:
                    continue
                weight = file.get_tensor(f"{module}.weight").float()
                owner = calibrated.owner(module)
                train = calibrated.read(owner, "train")
                start_s = time.perf_counter()
                dense, stored = _compress(way, bits, weight, Metric(train, 0.01), module)
                spent_s += time.perf_counter() - start_s
                fidelity = measure(weight, dense, train, calibrated.read(owner, "held_out"))
                errors.append(fidelity.held_out_error)
                size += stored
                weights += shape[0] * shape[1]
                with torch.no_grad():
                    parameters[f"{module}.weight"].copy_(dense.bfloat16())
    tokens = load_file(calibration / "tokens.safetensors")["held_out"].long()
    return Row(
        way=way,
        bits=bits,
        matrices=len(errors),
        bits_per_parameter=8 * size / weights,
        held_out_error=sum(errors) / len(errors),
        perplexity=perplexity(model, tokens),
        seconds_per_matrix=spent_s / len(errors),
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def perplexity(model: torch.nn.Module, tokens: torch.Tensor) -> float:
    """exp of the mean negative log-likelihood of a token of `tokens` [sequences, length]."""
    total, count = 0.0, 0
    with torch.inference_mode():
        for batch in tokens.split(4):
            logits = model(batch).logits[:, :-1].float()
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), batch[:, 1:].flatten(), reduction="sum"
            )
            total += float(loss)
            count += batch[:, 1:].numel()
    return math.exp(total / count)


def _compress(
    way: str, bits: int, weight: torch.Tensor, metric: Metric, module: str
) -> tuple[torch.Tensor, int]:
    """Reconstruction, and bytes stored."""
    chosen = WAYS[way]
    if chosen is None:
        return paper_caldera.compress(weight, metric, bits)
    settings = MatrixSettings.model_validate({"bits": bits, **chosen})
    dense = compress_matrix(weight, metric, settings, module).dense()
    rows, columns = weight.shape
    return dense, stored_bytes((rows, columns), settings)


def _shards(base: Path) -> list[Path]:
    return sorted(path for path in base.glob("*.safetensors") if not path.name.startswith("."))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--calibration", type=Path, required=True)
    parser.add_argument("--bits", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--blocks", type=int, nargs="+", help="only these blocks (all)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--table", type=Path, default=Path("benchmarks/results/quality.csv"))
    args = parser.parse_args()
    args.table.parent.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with args.table.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(Row.__annotations__), lineterminator="\n")
        writer.writeheader()
        print(" ".join(f"{name:>18}" for name in Row.__annotations__), flush=True)
        for bits in args.bits:
            for way in args.ways:
                with ProcessPoolExecutor(1, mp_context=context) as pool:
                    row = pool.submit(
                        measure_way,
                        way,
                        bits,
                        args.base,
                        args.calibration,
                        args.blocks,
                        args.threads,
                    ).result()
                writer.writerow(asdict(row))
                handle.flush()
                values = asdict(row).values()
                print(
                    " ".join(f"{v:18.4f}" if isinstance(v, float) else f"{v:>18}" for v in values),
                    flush=True,
                )


if __name__ == "__main__":
    main()
