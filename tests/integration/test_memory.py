"""Peak memory of calibration and compression does not grow with the number of blocks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from goodhart_gap.compression.allocation import allocate, module_shapes
from goodhart_gap.compression.settings import ConditionSettings
from goodhart_gap.files import read_json, write_json
from tests.integration.workshop import ROOT
from tests.tiny_models import write_tiny_checkpoint
from tests.unit.models.fetching import fetch_base, file_settings

pytestmark = pytest.mark.workflow

WIDTH = 384
SETTINGS = {"method": "caldera", "bits": 4, "group_size": 64, "rank": 16, "factor_bits": 4}
"""Those of the default condition."""


LAUNCHER = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""
# A child's peak counts from the memory of the process it was forked from, hence a small one.

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT / "src"),
    # Large tensors outside the heap: otherwise holes that the C library keeps of freed ones add up
    # to 20 MiB, and how many differs from run to run.
    "MALLOC_MMAP_THRESHOLD_": str(2**17),
}


def peak_mb(folder: Path, script: str, *arguments: object) -> float:
    """Run the script of a rule in `folder`; return the most main memory it had, in MiB."""
    command = [sys.executable, "-c", LAUNCHER, sys.executable, f"{ROOT}/scripts/{script}.py"]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=folder,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.splitlines()[-1]) / 1024


def peaks(folder: Path, blocks: int) -> dict[str, float]:
    """Calibrate and compress a random model whose blocks lie in one shard; peak memory by script.

    One shard is the hardest case: with a fixed number of blocks a shard, every job of a larger
    model is as one of the smaller.
    """
    folder.mkdir()
    checkpoint = write_tiny_checkpoint(folder / "checkpoint", blocks=blocks, hidden=WIDTH)
    base = folder / "base"
    changes = {"blocks": blocks, "blocks_per_shard": blocks, "dtype": "bfloat16"}
    fetch_base(file_settings(checkpoint, **changes), base)
    generator = torch.Generator().manual_seed(0)
    tokens = {
        split: torch.randint(0, 300, (rows, 64), generator=generator, dtype=torch.int32)
        for split, rows in (("train", 12), ("held_out", 2))
    }
    save_file(tokens, folder / "tokens.safetensors")
    shard = f"blocks000-{blocks - 1:03d}"
    weights, fingerprint = base / f"{shard}.safetensors", base / f"{shard}.fingerprint.json"
    found = {}
    found["accumulate_hessians"] = peak_mb(
        folder,
        "accumulate_hessians",
        *("--config", base / "config.json", "--tokens", "tokens.safetensors"),
        *("--embeddings", base / "embeddings.safetensors", "--weights", weights),
        *("--fingerprint", fingerprint, "--shard", shard, "--calibration-threads", 1),
        *("--hessians", "hessians.safetensors", "--after", "after.safetensors"),
    )
    condition = ConditionSettings.model_validate({"compress": SETTINGS})
    shapes = module_shapes([read_json(fingerprint)])
    write_json(folder / "allocation.json", allocate("m", "c", condition, shapes))
    found["compress_shard"] = peak_mb(
        folder,
        "compress_shard",
        *("--base", weights, "--fingerprint", fingerprint, "--hessians", "hessians.safetensors"),
        *("--allocation", "allocation.json", "--threads", 1, "--compressed", "out.safetensors"),
    )
    return found


def test_four_times_the_blocks_take_no_more_memory(tmp_path: Path) -> None:
    small, large = peaks(tmp_path / "small", 2), peaks(tmp_path / "large", 8)
    # What a job that held all Hessians would take more. Growth is compared, not the peaks: how many
    # pages of libraries count as a process's depends on how the page cache came to hold them.
    every_hessian_mb = 8 * 6 * (3 * WIDTH**2 + (2 * WIDTH) ** 2) / 2**20
    for script, peak in small.items():
        assert large[script] - peak < every_hessian_mb / 4, (script, small, large)
