"""What the base model and its held-out tokens are, as far as the figures depend on it."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import gguf
import torch
import yaml
from benchmarks.origin import ROOT
from benchmarks.quality_lines import Subject
from safetensors import safe_open
from safetensors.torch import load_file

_GGUF = re.compile(r"\.(?P<kind>[A-Z0-9_]+)\.gguf$")


def source_of(base: Path) -> str | None:
    """The `source` of the model of a folder {model}/base by config/models.yaml, if it is there."""
    content = yaml.safe_load((ROOT / "config/models.yaml").read_text(encoding="utf-8"))
    model = content["models"].get(base.parent.name)
    return None if model is None else str(model["source"])


def group_of(source: str) -> tuple[str, int] | None:
    """Type of a quantized GGUF file, and how many columns share a scale; None of anything else."""
    found = _GGUF.search(source)
    kind = found and gguf.GGMLQuantizationType.__members__.get(found["kind"])
    if not kind or kind.name.startswith(("F", "BF")):
        return None
    return kind.name, gguf.GGML_QUANT_SIZES[kind][0]


def most_levels(weights: Iterable[torch.Tensor], width: int) -> int:
    """The most distinct values in any run of `width` columns of `weights` [rows, columns]."""
    most = 0
    for weight in weights:
        ordered = weight.float().reshape(-1, width).sort(dim=1).values
        most = max(most, 1 + int((ordered.diff(dim=1) != 0).sum(dim=1).max()))
    return most


def shared_start(tokens: Iterable[torch.Tensor]) -> int:
    """Leading columns in which all rows of all of `tokens` [sequences, length] are the same."""
    whole = torch.cat(list(tokens))
    return int((whole == whole[0]).all(dim=0).long().cumprod(dim=0).sum())


def lines(subject: Subject) -> Iterator[str]:
    """The Markdown that says so, in items."""
    source = source_of(subject.base)
    yield f"- The base: `{source or subject.base}`."
    if source and (quantized := group_of(source)):
        kind, width = quantized
        most = most_levels(_weights(subject, width), width)
        yield (
            f"  A {kind} file, dequantized: its matrices have at most {most} values in any "
            f"{width} columns. So what a way with plain groups leaves depends on how its groups "
            f"lie on those {width} columns; figures of ways that do not rotate (`rtn`, "
            "`svd-residual`, `gptq`), at 4 bits above all, do not carry over to a model that was "
            "trained and stored in bfloat16."
        )
    tokens = load_file(subject.tokens)
    sequences, length = tokens["held_out"].shape
    predicted, same = sequences * (length - 1), shared_start(tokens.values())
    yield (
        f"- Held out: {sequences} sequences of {length} tokens, of which {predicted} are predicted."
        f" The first {same} tokens of every sequence, those that were compressed for included, are "
        "the same."
    )


def _weights(subject: Subject, width: int) -> Iterator[torch.Tensor]:
    """All matrices that are compressed and whose rows are made of runs of `width` columns."""
    for shard in subject.shards:
        with safe_open(shard, framework="pt") as file:
            for module in subject.modules:
                if module.shard == shard:
                    weight = file.get_tensor(f"{module.name}.weight")
                    if weight.shape[1] % width == 0:
                        yield weight
