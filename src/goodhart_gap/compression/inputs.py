"""What a shard is compressed from, seen to belong together: weights, fingerprint, Hessians."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from goodhart_gap.compression.hessians import HessianFile
from goodhart_gap.errors import GoodhartError


def check_hessians(base: Path, fingerprint: Mapping[str, Any], hessians: Path) -> None:
    """Raise GoodhartError when the Hessians were made from another base shard than `base`."""
    with HessianFile(hessians) as calibration:
        made_from = calibration.base_fingerprint
    if made_from not in (None, fingerprint["fingerprint"]):
        raise GoodhartError(
            f"{hessians}: made from base shard {made_from}, but {base} is "
            f"{fingerprint['fingerprint']}; rerun the calibration of this shard."
        )


def read_checked(file: Any, name: str, base: Path, fingerprint: Mapping[str, Any]) -> torch.Tensor:
    """Read a tensor of the open shard `base`; GoodhartError unless it is the one fingerprinted."""
    tensor: torch.Tensor = file.get_tensor(name)
    known = fingerprint["tensors"].get(name)
    raw = tensor.contiguous().view(-1).view(torch.uint8).numpy()
    if known is None or hashlib.sha256(raw.data).hexdigest() != known["sha256"]:
        raise GoodhartError(
            f"{base}: {name} is not the tensor in the fingerprint of base shard "
            f"{fingerprint['fingerprint'][:16]}; fetch the shard again."
        )
    return tensor
