"""A checkpoint that other engines can read, for as long as one of them runs.

Shards of the base are linked, compressed ones are dequantized, one at a time: it costs the disk of
the dense model under TMPDIR, and the memory of one shard.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import save_file

from goodhart_gap.compression.format import read_shard
from goodhart_gap.files import read_json, write_json
from goodhart_gap.models.tensor_files import read_header
from goodhart_gap.runtime.chosen import chosen_weights
from goodhart_gap.runtime.load import check_base


@contextmanager
def dense_checkpoint(
    config: Path,
    fingerprint: Path,
    shards: Sequence[Path],
    others: Sequence[Path],
    index: Path | None = None,
) -> Iterator[Path]:
    """Give a folder with the dense model of `shards` in transformers' format.

    `others` are files that stand beside the weights: tokenizer, generation config; `index` says
    which shard each weight is taken from, where they overlap. Raises GoodhartError when a
    compressed shard was made from another base than `fingerprint` names.
    """
    base_shards = read_json(fingerprint)["shards"]
    with tempfile.TemporaryDirectory(prefix="goodhart-dense-") as name:
        folder = Path(name)
        where: dict[str, str] = {}
        for path, wanted in chosen_weights(shards, index):
            check_base(path, base_shards, fingerprint)
            target = folder / f"{path.parent.name}-{path.name}"
            header = read_header(path)
            if "caldera" in header.metadata or not all(name in wanted for name in header.tensors):
                save_file(dict(read_shard(path, wanted)), target, metadata={"format": "pt"})
            else:
                target.symlink_to(path.resolve())
            where |= dict.fromkeys(read_header(target).tensors, target.name)
        write_json(
            folder / "model.safetensors.index.json",
            {"metadata": {}, "weight_map": dict(sorted(where.items()))},
        )
        dense = json.loads(config.read_text(encoding="utf-8"))
        dense.pop("quantization_config", None)
        write_json(folder / "config.json", dense)
        for path in others:
            (folder / path.name).symlink_to(path.resolve())
        yield folder
