"""From base and compressed shards to a transformers model with dense weights.

    model = load_model(
        config=base / "config.json",
        fingerprint=base / "fingerprint.json",
        shards=[base / "embeddings.safetensors", condition / "blocks000-029.safetensors"],
    )

The baseline is the same with the base's own block shards. A compressed shard is dequantized once,
module by module, into a model that starts out without memory for its weights, so the dense base is
never held beside its compressed form.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from goodhart_gap.compression.format import ShardReader, read_shard
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json
from goodhart_gap.models.assembly import assemble_model
from goodhart_gap.models.placement import DeviceMap
from goodhart_gap.models.tensor_files import read_header


def load_model(
    config: Path,
    fingerprint: Path,
    shards: Sequence[Path],
    dtype: str | None = None,
    device: str | torch.device | DeviceMap = "cpu",
) -> Any:
    """Return the model made of `shards`, in evaluation mode.

    `config` is the base's config.json, with generation_config.json beside it where there is one;
    `fingerprint` the base's fingerprint.json; `shards` hold every weight once, compressed or not;
    `dtype` is a torch name, by default the base's; `device` one device, a device map, or `auto`
    (one GPU if it can hold the weights, else several).

    Raises GoodhartError when a compressed shard was made from another base (both fingerprints are
    named), and when a weight is missing, given twice, misshapen, or none of the model's.
    """
    base_shards = read_json(fingerprint)["shards"]
    for path in shards:
        check_base(path, base_shards, fingerprint)
    return assemble_model(config, _dense_weights(shards), dtype, device)


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


def _dense_weights(shards: Sequence[Path]) -> Iterator[tuple[Path, str, torch.Tensor]]:
    for path in shards:
        for name, tensor in read_shard(path):
            yield path, name, tensor
