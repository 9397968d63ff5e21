"""A compressed checkpoint in one file, embeddings included: a folder that stands alone.

The file is a compressed shard (docs/FORMAT.md) of all blocks, so that `from_pretrained` loads it as
it loads the workflow's folders.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from goodhart_gap.compression.format import ModuleRecord, ShardRecord, read_shard
from goodhart_gap.files import read_json
from goodhart_gap.models.tensor_files import read_header
from goodhart_gap.runtime.chosen import chosen_weights
from goodhart_gap.runtime.exports.dense import write_tensors
from goodhart_gap.runtime.packed_shard import PackedShard


def export_whole(shards: Sequence[Path], index: Path, config: Path, weights: Path) -> None:
    """Write everything that a checkpoint takes from `shards` to the file `weights`, as stored.

    `config` is the compressed checkpoint's config.json.
    """
    modules: dict[str, ModuleRecord] = {}
    dtype = "bfloat16"
    count = 0
    for path, wanted in chosen_weights(shards, index):
        header = read_header(path)
        count += len(header.tensors)
        if "caldera" not in header.metadata:
            continue
        record = PackedShard(path).record
        dtype = record.dtype
        modules |= {
            module: each for module, each in record.modules.items() if f"{module}.weight" in wanted
        }
    about = ShardRecord(
        shard="whole",
        base_fingerprint=read_json(config)["quantization_config"]["base_fingerprint"],
        dtype=dtype,
        modules=modules,
    )
    write_tensors(weights, _tensors(shards, index), count, {"caldera": about.model_dump_json()})


def _tensors(shards: Sequence[Path], index: Path) -> Iterator[tuple[str, torch.Tensor]]:
    for path, wanted in chosen_weights(shards, index):
        if "caldera" not in read_header(path).metadata:
            yield from read_shard(path, wanted)
            continue
        with PackedShard(path) as shard:
            for name in (name for name in shard.plain if name in wanted):
                yield name, shard.read(name)
            for module in (each for each in shard.modules if f"{each}.weight" in wanted):
                for part, tensor in shard.parts(module).items():
                    yield f"{module}.{part}", tensor
