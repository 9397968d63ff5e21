"""Compressed checkpoints of tiny models, made without calibration; and one with some weight."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from goodhart_gap.compression.allocation import module_shapes
from goodhart_gap.compression.assemble import assemble, write_config, write_index
from goodhart_gap.compression.format import ModuleRecord, ShardWriter, stored_tensors
from goodhart_gap.compression.methods import compress_matrix
from goodhart_gap.compression.metric import Metric
from goodhart_gap.compression.packing import pack
from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.files import read_json, write_json
from tests.tiny_models import make_config, make_tokenizer
from tests.unit.compression.cases import hessian

COMPANIONS = "generation_config.json tokenizer.json tokenizer_config.json chat_template.jinja"

FOUR_BITS = MatrixSettings(bits=4, group_size=32, rank=4)
"""What torch's int4 kernels take."""


def compress(
    base: Path, condition: Path, settings: MatrixSettings, protected: str = "layers.1.mlp.down"
) -> Path:
    """Compress the base in our layout to the folder `condition` beside it, and return that.

    Modules whose name contains `protected` are left as they are.
    """
    record = read_json(base / "fingerprint.json")
    condition.mkdir()
    allocation: dict[str, MatrixSettings | None] = {}
    shards = []
    for name, part in record["shards"].items():
        if name == "embeddings":
            continue
        allocation |= {
            module: None if protected in module else settings for module in module_shapes([part])
        }
        shards.append(condition / f"{name}.safetensors")
        _compress_shard(base, name, part, allocation, shards[-1])
    return _join(base, condition, shards, record, allocation)


def _compress_shard(
    base: Path,
    name: str,
    record: Mapping[str, Any],
    allocation: Mapping[str, MatrixSettings | None],
    path: Path,
) -> None:
    weights = load_file(base / f"{name}.safetensors")
    dtype = str(next(iter(weights.values())).dtype).removeprefix("torch.")
    writer = ShardWriter(name, record["fingerprint"], dtype)
    for key, weight in weights.items():
        module = key.removesuffix(".weight")
        settings = allocation.get(module) if module != key else None
        if settings is None:
            writer.add_plain(key, weight)
            continue
        metric = Metric(hessian(weight.shape[1], 0), settings.damping)
        found = compress_matrix(weight, metric, settings, module)
        rank = 0 if found.factors is None else found.factors.left.shape[1]
        rows, columns = weight.shape
        fidelity = dict.fromkeys(("relative_error", "weighted_error", "held_out_error"), 0.0)
        module_record = ModuleRecord(
            shape=(rows, columns),
            rank=rank,
            settings=settings,
            fidelity={**fidelity, "correlation": 1.0},
        )
        writer.add_module(module, stored_tensors(found), module_record)
    writer.write(path)


def _join(
    base: Path,
    condition: Path,
    shards: list[Path],
    record: Mapping[str, Any],
    allocation: Mapping[str, MatrixSettings | None],
) -> Path:
    embeddings = base / "embeddings.safetensors"
    checkpoint = assemble(shards, embeddings, condition, record, allocation, 0.0)
    write_index(condition / "model.safetensors.index.json", checkpoint, 0)
    config = condition / "config.json"
    write_config(config, base / "config.json", checkpoint, "tiny", record["fingerprint"])
    for name in COMPANIONS.split():
        shutil.copyfile(base / name, condition / name)
    return condition


def write_weighty(folder: Path, *, hidden: int, blocks: int, rank: int = 16) -> Path:
    """Write a compressed random Llama to `folder`, without fitting anything, and return it.

    Codes, scales and factors are random numbers of a plausible size: what counts is how many bytes
    there are.
    """
    folder.mkdir()
    tokenizer = make_tokenizer()
    config = make_config("llama", blocks=blocks, hidden=hidden, vocabulary=len(tokenizer))
    content = config.to_dict() | {
        "dtype": "bfloat16",
        "architectures": ["LlamaForCausalLM"],
        "quantization_config": {"quant_method": "caldera"},
    }
    write_json(folder / "config.json", content)
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(len(tokenizer), hidden, generator=generator)
    outside = {"model.embed_tokens.weight": embeddings, "model.norm.weight": torch.ones(hidden)}
    stored = {name: value.bfloat16() for name, value in outside.items()}
    save_file(stored, folder / "embeddings.safetensors", metadata={"format": "pt"})
    where = dict.fromkeys(outside, "embeddings.safetensors")
    settings = MatrixSettings(bits=4, group_size=64, rank=rank)
    shapes = {
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (hidden // 2, hidden),
        "self_attn.v_proj": (hidden // 2, hidden),
        "self_attn.o_proj": (hidden, hidden),
        "mlp.gate_proj": (2 * hidden, hidden),
        "mlp.up_proj": (2 * hidden, hidden),
        "mlp.down_proj": (hidden, 2 * hidden),
    }
    for block in range(blocks):
        name, prefix = f"blocks{block:03d}-{block:03d}", f"model.layers.{block}."
        writer = ShardWriter(name, "0" * 64, "bfloat16")
        for norm in ("input", "post_attention"):
            writer.add_plain(f"{prefix}{norm}_layernorm.weight", torch.ones(hidden).bfloat16())
        for part, shape in shapes.items():
            record = ModuleRecord(shape=shape, rank=rank, settings=settings, fidelity={})
            writer.add_module(f"{prefix}{part}", random_parts(record, generator), record)
        writer.write(folder / f"{name}.safetensors")
        where |= {f"{prefix}{part}.weight": f"{name}.safetensors" for part in shapes}
        for norm in ("input", "post_attention"):
            where[f"{prefix}{norm}_layernorm.weight"] = f"{name}.safetensors"
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": where})
    return folder


def random_parts(record: ModuleRecord, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Random parts of a groupwise module whose rows and columns are multiples of the group."""
    settings = record.settings
    rows, columns = record.shape

    def matrix(name: str, height: int, width: int, bits: int) -> dict[str, torch.Tensor]:
        bytes_of_row = width * bits // 8
        codes = torch.randint(256, (height, bytes_of_row), generator=generator)
        groups = width // settings.group_size
        scales = 0.001 + 0.01 * torch.rand(height, groups, generator=generator)
        return {f"{name}codes": codes.to(torch.uint8), f"{name}scales": scales.bfloat16()}

    parts = matrix("", rows, columns, settings.bits)
    if not settings.symmetric:
        groups = columns // settings.group_size
        zeros = torch.randint(1 << settings.bits, (rows, groups), generator=generator)
        parts["zeros"] = pack(zeros, settings.bits)
    if record.rank:
        parts |= matrix("left.", record.rank, rows, settings.factor_bits)
        parts |= matrix("right.", record.rank, columns, settings.factor_bits)
    return parts
