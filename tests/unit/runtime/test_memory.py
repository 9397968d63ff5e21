"""A packed model takes the memory its bytes promise, and the dense one is never there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.runtime.checkpoints import write_weighty

HIDDEN, BLOCKS, RANK = 2048, 4, 64
"""As numbers, L and R of this rank alone would take another fifth of what is on disk."""

PROGRAM = """
import ctypes, gc, json, sys
import torch
import goodhart_gap
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

def resident(key):
    status = open("/proc/self/status").read()
    return int(status.split(key + ":")[1].split()[0]) * 1024

def trim():
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)

torch.set_num_threads(1)
# What is imported and compiled at the first use is no model's memory.
tiny = LlamaConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
                   vocab_size=8)
LlamaForCausalLM(tiny)(torch.zeros(1, 2, dtype=torch.int64))
for folder in sys.argv[1:]:
    trim()
    before = resident("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
    model = AutoModelForCausalLM.from_pretrained(folder)
    peak = resident("VmHWM") - before
    model.model.embed_tokens.weight.sum()
    after = resident("VmRSS") - before
print(json.dumps({"peak": peak, "resident": after}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weighty(
        tmp_path_factory.mktemp("weighty") / "c", hidden=HIDDEN, blocks=BLOCKS, rank=RANK
    )


@pytest.fixture(scope="module")
def measured(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    warm_up = write_weighty(tmp_path_factory.mktemp("small") / "c", hidden=128, blocks=1)
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(warm_up), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found: dict[str, int] = json.loads(finished.stdout.splitlines()[-1])
    return found


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_resident_memory_is_what_is_on_disk(folder: Path, measured: dict[str, int]) -> None:
    assert on_disk(folder) > 70e6
    assert abs(measured["resident"] / on_disk(folder) - 1) < 0.15


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_dense_base_is_never_there(folder: Path, measured: dict[str, int]) -> None:
    """At the peak there is the packed model and some of one module, far from a dense model."""
    dense = 2 * 9 * HIDDEN**2 * BLOCKS
    largest = 4 * 2 * HIDDEN * HIDDEN
    assert measured["peak"] < 1.15 * on_disk(folder) + 2 * largest
    assert measured["peak"] < 0.5 * dense
