"""What this machine can do, measured: matrix products, copies, files, SHA-256.

    python -m benchmarks.bounds --base results/models/smollm2-135m/base

Every figure is the best of several calls in about half a second. Matrix products are those of one
block of the model at the rows that sampling and calibration have, and a large square.
"""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from benchmarks.flops import Sizes

from goodhart_gap.models.number_format import number_format

WORK_ROWS = {"sampling": 200, "calibration": 4096}
"""Rows of a product: responses generated together; tokens of a batch of calibration sequences."""

SQUARE = 2048
BUFFER_BYTES = 1 << 28


def best(work: Callable[[], object], spend_s: float) -> float:
    """Return the least seconds of a call of `work`, in calls that take about `spend_s` together."""
    work()
    least, until = float("inf"), time.perf_counter() + spend_s
    calls = 0
    while calls < 3 or time.perf_counter() < until:
        started = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - started)
        calls += 1
    return least


def product_rate(
    shapes: list[tuple[int, int]], rows: int, dtype: torch.dtype, spend_s: float
) -> float:
    """Operations a second of x W^T with x [rows, inputs] and W [outputs, inputs] of `shapes`."""
    weights = [torch.randn(shape).to(dtype) for shape in shapes]
    inputs = {width: torch.randn(rows, width).to(dtype) for _, width in shapes}

    def work() -> None:
        for weight in weights:
            torch.nn.functional.linear(inputs[weight.shape[1]], weight)

    operations = 2 * rows * sum(outputs * width for outputs, width in shapes)
    return operations / best(work, spend_s)


def product_rates(sizes: Sizes, threads: int, spend_s: float) -> dict[str, float]:
    """Operations a second by format and what is multiplied, with `threads` threads.

    The formats are that of the model's forward passes here (`forward_format`) and float32, which
    compression computes in.
    """
    torch.set_num_threads(threads)
    block = list(sizes.linears().values())
    work = {name: (block, rows) for name, rows in WORK_ROWS.items()}
    work["square"] = ([(SQUARE, SQUARE)], SQUARE)
    with torch.inference_mode():
        return {
            f"{name} {what}": product_rate(shapes, rows, getattr(torch, name), spend_s)
            for name in sorted({forward_format(), "float32"})
            for what, (shapes, rows) in work.items()
        }


def forward_format() -> str:
    """Name of the format that jobs run the model in on this machine's CPU."""
    return str(number_format("auto", torch.bfloat16, "cpu")).removeprefix("torch.")


def copy_rate(threads: int, spend_s: float) -> float:
    """Bytes read and written a second by a copy that exceeds the caches."""
    torch.set_num_threads(threads)
    source = torch.ones(BUFFER_BYTES, dtype=torch.uint8)
    target = torch.empty_like(source)
    return 2 * BUFFER_BYTES / best(lambda: target.copy_(source), spend_s)


def file_rates(folder: Path, spend_s: float) -> dict[str, float]:
    """Bytes a second of writing a file until it is on the disk, and of reading it from there."""
    folder.mkdir(parents=True, exist_ok=True)
    path, data = folder / "bounds.tmp", os.urandom(1 << 20) * (BUFFER_BYTES >> 20)

    def write() -> None:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def forget() -> None:
        with path.open("rb") as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    try:
        written = len(data) / best(write, spend_s)
        least = float("inf")
        for _ in range(3):
            forget()
            started = time.perf_counter()
            with path.open("rb") as file:
                while file.read(1 << 24):
                    pass
            least = min(least, time.perf_counter() - started)
    finally:
        path.unlink(missing_ok=True)
    return {"write": written, "read": len(data) / least}


def hash_rate(spend_s: float) -> float:
    """Bytes a second of SHA-256 by one thread."""
    data = bytes(BUFFER_BYTES)
    return len(data) / best(lambda: hashlib.sha256(data).digest(), spend_s)


def measure(sizes: Sizes, folder: Path, spend_s: float = 0.5) -> dict[str, dict[str, float]]:
    """Return {"one" | "all": product and copy rates} by threads, and {"file": ...}."""
    cores = os.cpu_count() or 1
    found: dict[str, dict[str, float]] = {}
    for name, threads in (("one", 1), ("all", cores)):
        found[name] = product_rates(sizes, threads, spend_s)
        found[name]["copy"] = copy_rate(threads, spend_s)
    found["file"] = file_rates(folder, spend_s) | {"sha256": hash_rate(spend_s)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--spend-s", type=float, default=0.5, help="seconds a figure")
    args = parser.parse_args()
    sizes = Sizes.of(json.loads((args.base / "config.json").read_text()))
    for group, rates in measure(sizes, args.folder, args.spend_s).items():
        for name, rate in rates.items():
            print(f"{group:5} {name:22} {rate / 1e9:8.1f} G/s", flush=True)


if __name__ == "__main__":
    main()
