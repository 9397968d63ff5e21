"""Fingerprints stand for the weights: same bytes same fingerprint, one changed bit another."""

import hashlib
from pathlib import Path

import numpy
from safetensors.numpy import save_file

from goodhart_gap.models.fingerprints import fingerprint_model, fingerprint_shard, linear_shapes


def weights() -> dict[str, numpy.ndarray]:
    return {
        "model.layers.0.mlp.up_proj.weight": numpy.arange(6, dtype="<f4").reshape(3, 2),
        "model.layers.0.norm.weight": numpy.ones(2, dtype="<f4"),
    }


def fingerprint(folder: Path, tensors: dict[str, numpy.ndarray], **options: object) -> str:
    path = folder / "x.safetensors"
    save_file(tensors, path, **options)  # type: ignore[arg-type]
    return str(fingerprint_shard(path, "blocks000-000")["fingerprint"])


def test_a_shard_fingerprint_follows_its_definition(tmp_path: Path) -> None:
    matrix, vector = (hashlib.sha256(array.tobytes()).hexdigest() for array in weights().values())
    lines = [
        f"model.layers.0.mlp.up_proj.weight F32 3x2 {matrix}",
        f"model.layers.0.norm.weight F32 2 {vector}",
    ]
    expected = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert fingerprint(tmp_path, weights()) == expected


def test_order_and_metadata_of_the_file_do_not_matter(tmp_path: Path) -> None:
    backwards = dict(reversed(weights().items()))
    plain = fingerprint(tmp_path, weights())
    assert fingerprint(tmp_path, backwards, metadata={"made": "later"}) == plain


def test_a_changed_bit_changes_it(tmp_path: Path) -> None:
    changed = weights()
    changed["model.layers.0.norm.weight"].view("u4")[1] ^= 1
    assert fingerprint(tmp_path, changed) != fingerprint(tmp_path, weights())


def test_a_reshaped_tensor_changes_it(tmp_path: Path) -> None:
    reshaped = {
        name: array.reshape(-1, array.shape[0]) if array.ndim == 2 else array
        for name, array in weights().items()
    }
    assert fingerprint(tmp_path, reshaped) != fingerprint(tmp_path, weights())


def test_the_model_fingerprint_does_not_depend_on_the_order_of_shards(tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "x.safetensors")
    records = [fingerprint_shard(tmp_path / "x.safetensors", shard) for shard in ("a", "b")]
    forwards, backwards = fingerprint_model(records), fingerprint_model(records[::-1])
    assert forwards["fingerprint"] == backwards["fingerprint"]
    assert fingerprint_model(records[:1])["fingerprint"] != forwards["fingerprint"]


def test_linear_layers_are_the_matrices_in_blocks(tmp_path: Path) -> None:
    tensors = weights() | {"model.embed_tokens.weight": numpy.ones((4, 2), dtype="<f4")}
    save_file(tensors, tmp_path / "x.safetensors")
    record = fingerprint_shard(tmp_path / "x.safetensors", "blocks000-000")
    assert linear_shapes(record) == {"model.layers.0.mlp.up_proj": (3, 2)}
