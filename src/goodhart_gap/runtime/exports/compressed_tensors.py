"""Q in the `pack-quantized` format of compressed-tensors, L R as a PEFT LoRA adapter.

transformers and vLLM serve both with kernels of their own. The codes are the same bytes: they pack
from the least significant bit on, as ours do, rows padded to 32 bits; our code c and zero point z
stand for the integers c - 2^(b-1) and z - 2^(b-1). Zero points are packed along the rows of the
matrix. Only evenly spaced grids with zero points have a counterpart there: no vector codebook, no
rotation, and no symmetric grid (whose centre lies between two integers).

The adapter lies in a folder of its own: transformers loads one that it finds beside the weights by
itself.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from goodhart_gap.compression.format import ModuleRecord
from goodhart_gap.compression.packing import pack, unpack
from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import write_json
from goodhart_gap.models.tensor_files import read_header
from goodhart_gap.runtime import stored
from goodhart_gap.runtime.chosen import chosen_weights
from goodhart_gap.runtime.exports.dense import write_tensors
from goodhart_gap.runtime.packed_shard import PackedShard

_TENSORS_OF_MODULE = 4


class Packed:
    """A checkpoint whose every compressed module has a counterpart in compressed-tensors."""

    def __init__(self, shards: Sequence[Path], index: Path | None) -> None:
        """Raises GoodhartError naming a module that has no counterpart."""
        self._chosen = chosen_weights(shards, index)
        self.records: dict[str, ModuleRecord] = {}
        self.plain: list[str] = []
        for path, wanted in self._chosen:
            header = read_header(path)
            if "caldera" not in header.metadata:
                self.plain += [name for name in header.tensors if name in wanted]
                continue
            shard = PackedShard(path)
            self.plain += [name for name in shard.plain if name in wanted]
            for module, record in shard.record.modules.items():
                if f"{module}.weight" in wanted:
                    _check(module, record)
                    self.records[module] = record

    def write_weights(self, path: Path) -> None:
        """Write everything but L and R."""
        count = len(self.plain) + _TENSORS_OF_MODULE * len(self.records)
        write_tensors(path, self._tensors(), count)

    def write_adapter(self, path: Path) -> None:
        """Write L and R under PEFT's names, in the number format of the base."""
        write_tensors(path, self._factors(), 2 * len(self.records))

    def quantization_config(self, linears: Sequence[str]) -> dict[str, Any]:
        """The `quantization_config` of config.json; `linears` are the blocks' linear layers."""
        kinds: dict[tuple[int, int], list[str]] = {}
        for module, record in self.records.items():
            kind = record.settings.bits, record.settings.group_size
            kinds.setdefault(kind, []).append(module)
        groups = {}
        for number, ((bits, group_size), modules) in enumerate(kinds.items()):
            groups[f"group_{number}"] = {
                "targets": ["Linear"] if len(kinds) == 1 else modules,
                "weights": {
                    "num_bits": bits,
                    "type": "int",
                    "symmetric": False,
                    "strategy": "group",
                    "group_size": group_size,
                    "dynamic": False,
                },
            }
        return {
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "quantization_status": "compressed",
            "config_groups": groups,
            "ignore": ["lm_head", *(name for name in linears if name not in self.records)],
        }

    def write_adapter_config(self, path: Path, linears: Sequence[str]) -> None:
        """Write PEFT's adapter_config.json: a LoRA of scaling 1 (alpha equal to the rank)."""
        ranks = {module: record.rank for module, record in self.records.items() if record.rank}
        common = Counter(ranks.values()).most_common(1)[0][0] if ranks else 1
        others = {module: rank for module, rank in ranks.items() if rank != common}
        everywhere = set(ranks) == set(linears)
        names = sorted({name.rpartition(".")[2] for name in ranks}) if everywhere else list(ranks)
        write_json(
            path,
            {
                "peft_type": "LORA",
                "task_type": "CAUSAL_LM",
                "base_model_name_or_path": None,
                "inference_mode": True,
                "bias": "none",
                "lora_dropout": 0.0,
                "r": common,
                "lora_alpha": common,
                "rank_pattern": others,
                "alpha_pattern": others,
                "target_modules": names,
            },
        )

    def _tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        from goodhart_gap.compression.format import read_shard

        for path, wanted in self._chosen:
            if "caldera" not in read_header(path).metadata:
                yield from read_shard(path, wanted)
                continue
            with PackedShard(path) as shard:
                for name in (name for name in shard.plain if name in wanted):
                    yield name, shard.read(name)
                for module in self._modules_of(shard, wanted):
                    parts, record = shard.parts(module), self.records[module]
                    for name, tensor in packed_tensors(parts, record, shard.dtype):
                        yield f"{module}.{name}", tensor

    def _factors(self) -> Iterator[tuple[str, torch.Tensor]]:
        for path, wanted in self._chosen:
            if "caldera" not in read_header(path).metadata:
                continue
            with PackedShard(path) as shard:
                for module in self._modules_of(shard, wanted):
                    record = self.records[module]
                    if not record.rank:
                        continue
                    left, right = factors(shard.parts(module), record)
                    prefix = f"base_model.model.{module}"
                    yield f"{prefix}.lora_A.weight", right.to(shard.dtype)
                    yield f"{prefix}.lora_B.weight", left.to(shard.dtype)

    def _modules_of(self, shard: PackedShard, wanted: Any) -> Iterator[str]:
        return (module for module in shard.modules if f"{module}.weight" in wanted)


def packed_tensors(
    parts: stored.Parts, record: ModuleRecord, dtype: torch.dtype
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors compressed-tensors stores for a weight, by its names.

    It computes weights in the number format of the scales: `dtype`, that of the base.
    """
    bits, scales = record.settings.bits, parts["scales"]
    yield "weight_packed", _words(parts["codes"])
    yield "weight_scale", scales.to(dtype)
    zeros = unpack(parts["zeros"], bits, scales.shape[1])
    yield "weight_zero_point", _words(pack(zeros.T, bits)).T.contiguous()
    yield "weight_shape", torch.tensor(record.shape, dtype=torch.int64)


def factors(parts: stored.Parts, record: ModuleRecord) -> tuple[torch.Tensor, torch.Tensor]:
    """L [rows, rank] and R [rank, columns] of a module, float32."""
    found = []
    for side, length in (("left.", record.shape[0]), ("right.", record.shape[1])):
        own = {name.removeprefix(side): part for name, part in parts.items() if side in name}
        settings = record.settings
        found.append(
            own["values"].float()
            if "values" in own
            else stored.grouped(
                own, settings.factor_bits, settings.group_size, length, torch.float32
            )
        )
    return found[0].T.contiguous(), found[1]


def _words(data: torch.Tensor) -> torch.Tensor:
    """Bytes [rows, n] as int32 [rows, ceil(n / 4)], little-endian."""
    padded = torch.nn.functional.pad(data, (0, -data.shape[1] % 4)).contiguous()
    return padded.view(torch.int32)


def _check(module: str, record: ModuleRecord) -> None:
    settings = record.settings
    reason = None
    if settings.codebook != "scalar":
        reason = f"codebook {settings.codebook}"
    elif settings.hadamard:
        reason = "hadamard: true"
    elif settings.symmetric:
        reason = "symmetric: true"
    elif record.shape[1] % settings.group_size:
        reason = f"a last group that is narrower than group_size {settings.group_size}"
    if reason is not None:
        raise GoodhartError(
            f"{module}: {reason} has no counterpart in compressed-tensors; export this condition "
            "as dense, or compress it with a scalar, asymmetric, unrotated grid."
        )
