"""Speed of a packed layer at the shapes of Qwen2-72B, beside what else one could do.

    python -m benchmarks.gpu_linear --output gpu_linear.jsonl           # on a GPU
    python -m benchmarks.gpu_linear --toy --device cpu                  # does it run at all

For every shape, rank and batch size, in bfloat16 with 4 bits in groups of 64:

- `packed`: our layer as it is prepared for the device, low-rank part included;
- `triton`: the same by our own kernel (CUDA only);
- `int4 alone`: torch's int4 kernel without the low-rank part;
- `dense`: an ordinary bfloat16 layer;
- `dequantize`: Q + L R formed anew at every call from codes held as int8, as the original
  experiment did (`original_layer`).

Seconds are of one call. On CUDA, calls are captured in a graph over as many copies of the layer as
exceed the cache, so neither launches nor cached weights flatter anyone. Batch 1 is given as a share
of the measured copy bandwidth, the largest batch as a share of the measured matrix product rate;
`error` is the largest difference from a float64 product in standard deviations of it.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from benchmarks.original_layer import OriginalLinear

from goodhart_gap.compression.format import ModuleRecord
from goodhart_gap.compression.packing import pack
from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.runtime import int4, stored
from goodhart_gap.runtime.linear import CalderaLinear

SHAPES = ((8192, 8192), (1024, 8192), (29568, 8192), (8192, 29568))
"""Outputs and inputs of the layers of a Qwen2-72B block."""

TOY_SHAPES = ((128, 256), (64, 128))

CACHE_BYTES = 256e6
"""More than any GPU caches."""

TARGETS = {"bandwidth": 0.7, "over dense": 2.5, "over dequantize": 20.0}
"""Of batch 1."""

Call = Callable[[torch.Tensor], torch.Tensor]


def random_layer(shape: tuple[int, int], rank: int, device: str, seed: int) -> CalderaLinear:
    """A layer of random codes, not prepared yet."""
    generator = torch.Generator().manual_seed(seed)
    settings = MatrixSettings(bits=4, group_size=64, rank=rank, factor_bits=16)
    rows, columns = shape
    groups = columns // settings.group_size
    scales = (0.5 + torch.rand(rows, groups, generator=generator)) / 5 / columns**0.5
    codes = torch.randint(256, (rows, columns // 2), generator=generator)
    parts = {
        "codes": codes.to(torch.uint8),
        "scales": scales.bfloat16(),
        "zeros": pack(torch.randint(6, 10, (rows, groups), generator=generator), 4),
        "left.values": torch.randn(rank, rows, generator=generator).bfloat16() / rank**0.5 / 4,
        "right.values": torch.randn(rank, columns, generator=generator).bfloat16() / columns**0.5,
    }
    record = ModuleRecord(shape=shape, rank=rank, settings=settings, fidelity={})
    return CalderaLinear(record, {name: part.to(device) for name, part in parts.items()}, None)


def exact(layer: CalderaLinear, values: torch.Tensor) -> torch.Tensor:
    """x (Q + L R)^T in float64, of a layer that is not prepared."""
    parts, wide = layer.parts(), values.double()
    quantized = {name: part for name, part in parts.items() if "." not in name}
    product = stored.product(wide, quantized, layer.record)
    return product + wide @ parts["right.values"].double().T @ parts["left.values"].double()


def ways(shape: tuple[int, int], rank: int, device: str, seed: int) -> dict[str, Call]:
    """Everything that is measured, for one copy of a layer."""
    layer = random_layer(shape, rank, device, seed)
    dense = layer.dense(torch.bfloat16)
    packed = random_layer(shape, rank, device, seed).prepare(torch.bfloat16)

    dequantize = OriginalLinear(layer, torch.bfloat16)

    def alone(values: torch.Tensor) -> torch.Tensor:
        return int4.product(values, packed.codes, packed.scales_offsets, 64)

    found: dict[str, Call] = {"packed": packed, "dense": dense, "dequantize": dequantize}
    if packed.way == "int4":
        found["int4 alone"] = alone
    if device == "cuda":
        found["triton"] = random_layer(shape, rank, device, seed).prepare(
            torch.bfloat16, ways=("triton",)
        )
    return found


def seconds(calls: Sequence[Call], values: torch.Tensor, repeats: int) -> float:
    """Seconds of one call, over all copies, after a warm-up; the best of `repeats`."""

    def everything() -> None:
        for call in calls:
            call(values)

    everything()
    if values.is_cuda:
        return _graph_seconds(everything, repeats) / len(calls)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        everything()
        best = min(best, time.perf_counter() - start)
    return best / len(calls)


def _graph_seconds(everything: Callable[[], None], repeats: int) -> float:
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        everything()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        everything()
    best = float("inf")
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        best = min(best, start.elapsed_time(end) / 1e3)
    return best


def copy_bandwidth(device: str, size: int) -> float:
    """Bytes read and written a second by a copy of `size` bytes."""
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / seconds([lambda _: target.copy_(source)], source[:1], 10)


def product_rate(device: str, size: int) -> float:
    """Operations a second of a bfloat16 product of [size, size] matrices."""
    left, right = (torch.randn(size, size, device=device).bfloat16() for _ in range(2))
    return 2 * size**3 / seconds([lambda _: left @ right], left[:1, :1], 10)


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row a shape, rank, batch size and way."""
    device = arguments.device
    toy = arguments.toy
    bandwidth = copy_bandwidth(device, 1 << (20 if toy else 30))
    rate = product_rate(device, 256 if toy else 8192)
    yield {"device": _name(device), "copy_bytes_per_s": bandwidth, "product_per_s": rate}
    for shape in TOY_SHAPES if toy else SHAPES:
        for rank in arguments.ranks:
            layer = random_layer(shape, rank, device, 0)
            size = sum(part.nbytes for part in layer.parts().values())
            copies = 2 if toy else max(2, int(CACHE_BYTES // size) + 1)
            made = [ways(shape, rank, device, seed) for seed in range(copies)]
            for batch in arguments.batches:
                values = torch.randn(batch, shape[1], device=device).bfloat16()
                expected = exact(layer, values)
                for way in made[0]:
                    found = made[0][way](values).double()
                    spent = seconds([each[way] for each in made], values, arguments.repeats)
                    moved = size + 2 * batch * sum(shape)
                    yield {
                        "outputs": shape[0],
                        "inputs": shape[1],
                        "rank": rank,
                        "batch": batch,
                        "way": way,
                        "seconds": spent,
                        "of_copy_bandwidth": moved / spent / bandwidth,
                        "of_product_rate": 2 * batch * shape[0] * shape[1] / spent / rate,
                        "error": None
                        if way == "int4 alone"
                        else float((found - expected).abs().max() / expected.std()),
                    }
            del made


def verdicts(found: Sequence[dict[str, Any]]) -> list[str]:
    """One line for each target: the worst shape of batch 1."""
    ones = {
        (row["outputs"], row["inputs"], row["rank"], row["way"]): row
        for row in found
        if row.get("batch") == 1
    }
    packed = [key for key in ones if key[3] == "packed"]

    def worst(measure: Callable[[tuple[Any, ...]], float]) -> tuple[float, str]:
        value, key = min((measure(key), key) for key in packed)
        return value, f"{key[0]}x{key[1]}, rank {key[2]}"

    def over(way: str) -> Callable[[tuple[Any, ...]], float]:
        return lambda key: ones[(*key[:3], way)]["seconds"] / ones[key]["seconds"]

    measures: dict[str, Callable[[tuple[Any, ...]], float]] = {
        "bandwidth": lambda key: float(ones[key]["of_copy_bandwidth"]),
        "over dense": over("dense"),
        "over dequantize": over("dequantize"),
    }
    lines = []
    for name, measure in measures.items():
        value, where = worst(measure)
        met = "met" if value >= TARGETS[name] else "MISSED"
        lines.append(f"{name}: {value:.2f} at worst ({where}), target {TARGETS[name]}: {met}")
    return lines


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def main(words: Sequence[str] | None = None) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--toy", action="store_true", help="small shapes: does it run at all")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--ranks", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args(words)
    found = []
    with torch.inference_mode():
        for row in rows(arguments):
            found.append(row)
            print(json.dumps(row), flush=True)
            if arguments.output:
                with arguments.output.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
    print("\n".join(verdicts(found)))
    return found


if __name__ == "__main__":
    main()
