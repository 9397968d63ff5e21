"""From base and compressed shards to a transformers model, its weights dense or packed.

    model = load_model(
        config=base / "config.json",
        fingerprint=base / "fingerprint.json",
        shards=[base / "embeddings.safetensors", condition / "blocks000-029.safetensors"],
    )

The baseline is the same with the base's own block shards. Where shards overlap, because a condition
takes its modules from several others, `index` says which file each weight is taken from. A
compressed shard is dequantized once, module by module, into a model that starts out without memory
for its weights, so the dense base is never held beside its compressed form.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from goodhart_gap.compression.format import ShardReader, read_shard
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json
from goodhart_gap.memory import give_back
from goodhart_gap.models.assembly import assemble_model
from goodhart_gap.models.placement import DeviceMap
from goodhart_gap.models.tensor_files import read_header
from goodhart_gap.runtime.chosen import chosen_weights, dense_weights
from goodhart_gap.runtime.linear import CalderaLinear
from goodhart_gap.runtime.packed_shard import PackedShard
from goodhart_gap.runtime.replacing import replace_linear


def load_model(
    config: Path,
    fingerprint: Path,
    shards: Sequence[Path],
    dtype: str = "auto",
    device: str | torch.device | DeviceMap = "cpu",
    index: Path | None = None,
    weights: str = "dense",
) -> Any:
    """Return the model made of `shards`, in evaluation mode.

    `config` is the base's config.json, with generation_config.json beside it where there is one;
    `fingerprint` the base's fingerprint.json; `shards` hold every weight once, compressed or not;
    `dtype` is a torch name, or `auto` (the base's, unless a CPU is much slower in it); `device` one
    device, a device map, or `auto` (one GPU if it can hold the weights, else several). `index`: the
    checkpoint's
    model.safetensors.index.json, where shards overlap. `weights`: `dense`, dequantized once, or
    `packed`, computed with as they are stored (`goodhart_gap.runtime.linear`), on one device.

    Raises GoodhartError when a compressed shard was made from another base (both fingerprints are
    named), and when a weight is missing, given twice, misshapen, or none of the model's.
    """
    base_shards = read_json(fingerprint)["shards"]
    for path in shards:
        check_base(path, base_shards, fingerprint)
    if weights == "packed":
        return _load_packed(config, chosen_weights(shards, index), dtype, device)
    return assemble_model(config, dense_weights(shards, index), dtype, device)


def check_base(path: Path, base_shards: Mapping[str, Any], fingerprint: Path) -> None:
    """Raise GoodhartError when `path` is a compressed shard of another base."""
    if "caldera" not in read_header(path).metadata:
        return
    with ShardReader(path) as reader:
        shard, made_from = reader.record.shard, reader.record.base_fingerprint
    expected = base_shards.get(shard, {}).get("fingerprint")
    if made_from != expected:
        raise GoodhartError(
            f"{path}: was compressed from a base whose {shard} has fingerprint {made_from}, but "
            f"{fingerprint} has {expected}; compress this base, or load the other one."
        )


def _load_packed(
    config: Path,
    chosen: Sequence[tuple[Path, Collection[str]]],
    dtype: str,
    device: str | torch.device | DeviceMap,
) -> Any:
    """The model with a prepared `CalderaLinear` for every compressed module."""
    if device == "auto" or isinstance(device, Mapping):
        raise GoodhartError(
            "weights = 'packed': runs on one GPU here; set CUDA_VISIBLE_DEVICES to one, or use "
            "dense weights."
        )
    compressed = [
        (PackedShard(path), wanted)
        for path, wanted in chosen
        if "caldera" in read_header(path).metadata
    ]
    modules = {
        module: shard
        for shard, wanted in compressed
        for module in shard.modules
        if f"{module}.weight" in wanted
    }
    names = {f"{module}.weight" for module in modules}
    model = assemble_model(config, _plain_weights(chosen), dtype, device, names)
    for shard, _ in compressed:
        with shard:
            for module in (each for each in shard.modules if modules.get(each) is shard):
                parts = {name: part.to(device) for name, part in shard.parts(module).items()}
                layer = replace_linear(model, module, shard, parts)
                layer.prepare(_format_of(layer, shard.dtype, model.dtype, dtype))
    give_back()
    return model


def _format_of(
    layer: CalderaLinear, stored: torch.dtype, computed: torch.dtype, asked: str
) -> torch.dtype:
    """The number format that a layer of a model that computes in `computed` is prepared for.

    `auto` is float32 on a CPU without instructions for bfloat16. torch's int4 kernel takes bfloat16
    alone and is several times faster there than any other way, so layers that it serves cast their
    inputs and results.
    """
    by_int4 = asked == "auto" and layer.way_for(stored) == "int4"
    return stored if by_int4 else computed


def _plain_weights(
    chosen: Sequence[tuple[Path, Collection[str]]],
) -> Iterator[tuple[Path, str, torch.Tensor]]:
    """What is stored as it was: the base's shards, and the rest of the compressed ones."""
    for path, wanted in chosen:
        if "caldera" in read_header(path).metadata:
            with PackedShard(path) as shard:
                for name in (each for each in shard.plain if each in wanted):
                    yield path, name, shard.read(name)
        else:
            for name, tensor in read_shard(path, wanted):
                yield path, name, tensor
