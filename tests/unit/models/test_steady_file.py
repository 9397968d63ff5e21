"""The same tensors and strings give the same file."""

from pathlib import Path

import torch
from safetensors import safe_open

from goodhart_gap.models.steady_file import save_steady


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.ones(5, dtype=torch.bfloat16)}
    metadata = {"format": "pt", "note": 'a "quoted" é\n\x01', "n": "1", "m": "2", "o": "3"}
    files = [tmp_path / f"{i}.safetensors" for i in range(8)]
    for file in files:
        save_steady(tensors, file, metadata)
    # The library alone has 120 orders of five strings.
    assert len({file.read_bytes() for file in files}) == 1
    with safe_open(files[0], framework="pt") as read:
        assert read.metadata() == metadata
        for name, tensor in tensors.items():
            assert torch.equal(read.get_tensor(name), tensor)
