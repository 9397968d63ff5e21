"""Hessians are X^T X / n of what goes into each layer of the base model, shard by shard."""

import json
import runpy
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from goodhart_gap.calibration.hessians import (
    HessianJob,
    accumulate_hessians,
    add_upper,
    mirror_upper,
    token_counts,
)
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.skeleton import read_config
from tests.tiny_models import FAMILIES
from tests.unit.conftest import Folders

ROOT = Path(__file__).parents[3]
SHARDS = ("blocks000-000", "blocks001-001")


def write_tokens(path: Path) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    tokens = {
        "train": torch.randint(0, 300, (5, 40), generator=generator, dtype=torch.int32),
        "held_out": torch.randint(0, 300, (2, 40), generator=generator, dtype=torch.int32),
    }
    save_file(tokens, path)
    return tokens


def run(base: Path, folder: Path) -> None:
    """Do what the rule does, for both shards."""
    for place, shard in enumerate(SHARDS):
        job = HessianJob(
            shard=shard,
            tokens=folder / "tokens.safetensors",
            embeddings=None if place else base / "embeddings.safetensors",
            before=folder / f"after-{SHARDS[0]}.safetensors" if place else None,
            weights=base / f"{shard}.safetensors",
            hessians=folder / f"{shard}.safetensors",
            after=folder / f"after-{shard}.safetensors",
        )
        accumulate_hessians(read_config(base), job, f"fingerprint of {shard}", "cpu")


def inputs_of_linears(
    checkpoint: Path, tokens: dict[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return what the whole model feeds its linears, by `{module}.{split}`, and its last block's
    output by split."""
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    seen: dict[str, torch.Tensor] = {}

    def note(name: str, module: object, args: tuple[torch.Tensor]) -> None:
        seen[name] = args[0].flatten(0, 1).double()

    inputs: dict[str, torch.Tensor] = {}
    last: dict[str, torch.Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(partial(note, name))
    model.model.norm.register_forward_pre_hook(
        lambda module, args: seen.__setitem__("last", args[0])
    )
    for split, ids in tokens.items():
        with torch.inference_mode():
            model(ids.long())
        last[split] = seen.pop("last")
        inputs |= {f"{name}.{split}": x for name, x in seen.items()}
    return inputs, last


@pytest.mark.parametrize("family", FAMILIES)
def test_hessians_agree_with_a_float64_oracle(
    family: str, bases: Folders, checkpoints: Folders, tmp_path: Path
) -> None:
    base = bases(family)
    tokens = write_tokens(tmp_path / "tokens.safetensors")
    run(base, tmp_path)
    inputs, last = inputs_of_linears(checkpoints(family), tokens)
    for shard in SHARDS:
        hessians = load_file(tmp_path / f"{shard}.safetensors")
        with safe_open(tmp_path / f"{shard}.safetensors", framework="pt") as file:
            metadata = file.metadata()
        aliases = json.loads(metadata["aliases"])
        assert len(aliases) == 7
        assert len(set(aliases.values())) == 4
        assert hessians.keys() == {f"{m}.{s}" for m in set(aliases.values()) for s in tokens}
        assert metadata["base_fingerprint"] == f"fingerprint of {shard}"
        assert token_counts(metadata) == {"train": 200, "held_out": 80}
        for module, owner in aliases.items():
            for split in tokens:
                x = inputs[f"{module}.{split}"]
                hessian = hessians[f"{owner}.{split}"]
                assert hessian.dtype == torch.float32
                torch.testing.assert_close(hessian.double(), x.T @ x / len(x), rtol=1e-5, atol=1e-6)
                assert torch.equal(hessian, hessian.T)
    after = load_file(tmp_path / f"after-{SHARDS[1]}.safetensors")
    assert all(torch.equal(after[split], last[split]) for split in tokens)


def test_batches_do_not_matter(
    bases: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tokens(tmp_path / "tokens.safetensors")
    run(bases("llama"), tmp_path)
    name = f"{SHARDS[1]}.safetensors"
    at_once = load_file(tmp_path / name)
    monkeypatch.setattr("goodhart_gap.calibration.hessians._TOKENS_AT_ONCE", 80)
    run(bases("llama"), tmp_path)
    for key, hessian in load_file(tmp_path / name).items():
        torch.testing.assert_close(hessian, at_once[key], rtol=1e-4, atol=1e-6)


def test_overflow_is_named(bases: Folders, tmp_path: Path) -> None:
    base = bases("llama")
    write_tokens(tmp_path / "tokens.safetensors")
    weights = load_file(base / f"{SHARDS[0]}.safetensors")
    weights["model.layers.0.self_attn.v_proj.weight"].fill_(1e38)
    spoilt = tmp_path / "spoilt.safetensors"
    save_file(weights, spoilt)
    job = HessianJob(
        shard=SHARDS[0],
        tokens=tmp_path / "tokens.safetensors",
        embeddings=base / "embeddings.safetensors",
        before=None,
        weights=spoilt,
        hessians=tmp_path / "h.safetensors",
        after=tmp_path / "a.safetensors",
    )
    with pytest.raises(GoodhartError, match=r"spoilt\.safetensors: the inputs of .* overflow"):
        accumulate_hessians(read_config(base), job, "", "cpu")


@given(st.integers(1, 600), st.integers(1, 5), st.integers(1, 4))
def test_the_triangle_is_the_whole_product(width: int, tokens: int, batches: int) -> None:
    generator = torch.Generator().manual_seed(width)
    total = torch.zeros(width, width)
    parts = [torch.randn(tokens, width, generator=generator) for _ in range(batches)]
    for part in parts:
        add_upper(total, part)
    whole = torch.cat(parts).double()
    torch.testing.assert_close(mirror_upper(total).double(), whole.T @ whole, rtol=1e-4, atol=1e-4)
    assert torch.equal(total, total.T)


def test_hessians_of_other_threads_are_other_hessians() -> None:
    # The order of sums depends on them, so they are a setting; hints make nothing stale.
    script = runpy.run_path(str(ROOT / "scripts/accumulate_hessians.py"))["script"]
    threads = [flag for flag in script.values.values() if "threads" in flag]
    assert threads
    assert script.hints == set()
    rule = (ROOT / "rules/calibration.smk").read_text(encoding="utf-8")
    assert [f"{flag} {{params.threads}}" in rule for flag in threads] == [True]
