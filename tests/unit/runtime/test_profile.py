"""What compressing one block does: against plain formulas, and on a block that matters."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from goodhart_gap.compression.sensitivity import measure_sensitivity
from goodhart_gap.compression.settings import MatrixSettings
from goodhart_gap.models.skeleton import read_config
from goodhart_gap.runtime.divergence import divergence_rows
from goodhart_gap.runtime.load import load_model
from goodhart_gap.runtime.profile import Profiled, draw_negatives, profile_rows
from tests.made_shards import write_compressed
from tests.tiny_models import write_tiny_checkpoint
from tests.unit.conftest import Folders
from tests.unit.models.fetching import fetch_base, file_settings

TOKENS = torch.randint(3, 300, (3, 24), generator=torch.Generator().manual_seed(1))
ROUGH = MatrixSettings(bits=3, group_size=16, method="rtn", rank=0)


def write_base(folder: Path, family: str, important: int) -> Path:
    """A base of four blocks; what one adds to the hidden states is scaled up beside the others.

    The others are scaled down as well: else an earlier block would matter as much, through what the
    important one makes of its errors.
    """
    checkpoint = write_tiny_checkpoint(folder / "c", family, blocks=4, dtype=torch.float32)
    path = checkpoint / "model.safetensors"
    weights = load_file(path)
    for name in weights:
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            weights[name] *= 8 if f".{important}." in name else 0.1
    save_file(weights, path, metadata={"format": "pt"})
    (folder / "base").mkdir()
    fetch_base(file_settings(checkpoint, blocks=4), folder / "base")
    return folder / "base"


def profile(base: Path, shards: list[Path], negatives: int = 32) -> list[dict[str, float]]:
    own = sorted(base.glob("blocks*.safetensors"))
    files = Profiled(base / "embeddings.safetensors", own, shards)
    rows = profile_rows(read_config(base), files, TOKENS, negatives, 42, "cpu")
    found: dict[int, dict[str, float]] = {}
    for row in rows:
        totals = found.setdefault(int(row["block"]), {})
        for name, value in row.items():
            totals[name] = totals.get(name, 0) + value
    return [found[block] for block in sorted(found)]


@pytest.mark.parametrize(("family", "important"), [("llama", 2), ("qwen2", 1), ("mistral", 3)])
def test_every_measure_ranks_the_important_block_first(
    family: str, important: int, tmp_path: Path
) -> None:
    base = write_base(tmp_path, family, important)
    shards = write_compressed(base, tmp_path / "rough", ROUGH)
    rows = profile(base, shards)
    for measure in ("error_energy", "kl", "inversion_changes", "margin_changes"):
        values = [row[measure] for row in rows]
        assert values.index(max(values)) == important, (measure, values)
        assert values.count(max(values)) == 1
    tokens = tmp_path / "tokens.safetensors"
    save_file({"train": TOKENS[:1].clone(), "held_out": TOKENS}, tokens)
    variants = measure_sensitivity(
        read_config(base),
        tokens,
        base / "embeddings.safetensors",
        sorted(base.glob("blocks*.safetensors")),
        {"rough": shards},
        TOKENS.numel(),
    )
    assert max(variants, key=lambda each: each.divergence).block == important


def test_the_measures_are_what_their_formulas_say(bases: Folders, tmp_path: Path) -> None:
    base = bases("llama")
    shards = write_compressed(base, tmp_path / "rough", ROUGH)
    rows = profile(base, shards)
    config, fingerprint = base / "config.json", base / "fingerprint.json"
    own = sorted(base.glob("blocks*.safetensors"))
    whole = load_model(config, fingerprint, [base / "embeddings.safetensors", *own])
    mixed = load_model(config, fingerprint, [base / "embeddings.safetensors", own[0], shards[1]])
    with torch.inference_mode():
        p, q = (torch.log_softmax(model(TOKENS).logits.double(), -1) for model in (whole, mixed))
        kl = float((p.exp() * (p - q)).sum())
        layer = "layers.1.self_attn.q_proj"
        inputs = {}
        hook = whole.model.get_submodule(layer).register_forward_pre_hook(
            lambda module, args: inputs.update(x=args[0])
        )
        whole(TOKENS)
        hook.remove()
        energy = 0.0
        for name, module in whole.model.layers[1].named_modules():
            if isinstance(module, torch.nn.Linear):
                other = mixed.model.layers[1].get_submodule(name).weight
                if name.endswith(("q_proj", "k_proj", "v_proj")):
                    energy += float((inputs["x"] @ (module.weight - other).T).square().sum())
    assert rows[1]["kl"] == pytest.approx(kl, rel=1e-3)
    assert rows[1]["error_energy"] > energy > 0
    assert rows[1]["tokens"] == TOKENS.numel()


def test_nothing_changes_where_nothing_is_compressed(bases: Folders) -> None:
    base = bases("llama")
    for row in profile(base, sorted(base.glob("blocks*.safetensors"))):
        assert row["error_energy"] == row["kl"] == row["inversion_changes"] == 0
        assert row["margin_changes"] == 0
        assert row["output_energy"] > 0


def test_negatives_are_keyed_and_never_the_token() -> None:
    ids = torch.tensor([0, 5, 9])
    drawn = draw_negatives(ids, 10, 500, seed=1, sequence=0)
    assert torch.equal(drawn, draw_negatives(ids, 10, 500, seed=1, sequence=0))
    assert not torch.equal(drawn, draw_negatives(ids, 10, 500, seed=1, sequence=1))
    assert not torch.equal(drawn, draw_negatives(ids, 10, 500, seed=2, sequence=0))
    for token, row in zip(ids.tolist(), drawn.tolist(), strict=True):
        assert set(row) == set(range(10)) - {token}


def test_divergence_of_a_model_from_itself_and_from_another(bases: Folders, tmp_path: Path) -> None:
    base = bases("llama")
    config, fingerprint = base / "config.json", base / "fingerprint.json"
    outside = base / "embeddings.safetensors"
    own = sorted(base.glob("blocks*.safetensors"))
    rough = write_compressed(base, tmp_path / "rough", ROUGH)
    whole = load_model(config, fingerprint, [outside, *own])
    other = load_model(config, fingerprint, [outside, *rough])
    for row in divergence_rows(whole, whole, TOKENS):
        assert row["kl"] == 0
        assert row["loss"] == row["base_loss"]
        assert row["agreements"] == row["tokens"] == 23
    rows = list(divergence_rows(whole, other, TOKENS))
    with torch.inference_mode():
        expected = float(other(TOKENS[1:2], labels=TOKENS[1:2]).loss) * 23
    assert rows[1]["loss"] == pytest.approx(expected, rel=1e-4)
    assert all(row["kl"] > 0 for row in rows)
