"""What a job ran on and with: hardware, versions, the state of the repository, peak memory."""

import os
import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.manifest import Gpu, Machine, Repository, Software

LIBRARIES = (
    "accelerate",
    "gguf",
    "huggingface_hub",
    "jinja2",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "pydantic",
    "safetensors",
    "scipy",
    "statsmodels",
    "tokenizers",
    "torch",
    "transformers",
    "triton",
    "typst",
    "yaml",
)
"""Modules whose versions are recorded when they were imported by the job."""

_DISTRIBUTIONS = {"yaml": "PyYAML"}

_ASK = """
import torch
for index in range(torch.cuda.device_count()):
    print(torch.cuda.get_device_name(index))
"""


def software() -> Software:
    """Return the versions of Python and of the libraries that this process has imported."""
    loaded = [name for name in LIBRARIES if name in sys.modules]
    versions = {name: metadata.version(_DISTRIBUTIONS.get(name, name)) for name in loaded}
    return Software(python=platform.python_version(), libraries=versions)


def installed() -> dict[str, str]:
    """Return the versions of the libraries that are installed, imported or not."""
    names = {_DISTRIBUTIONS.get(name, name) for name in LIBRARIES}
    return {d.name: d.version for d in metadata.distributions() if d.name in names}


def machine() -> Machine:
    """Describe the machine; GPUs only if this process has used one through torch."""
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu_model(),
        instructions=_instructions(),
        cores=os.cpu_count() or 1,
        threads=int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        gpus=_gpus(),
    )


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use; imports torch.

    Another process asks for them: once this one held a GPU it could not be forked any more, and
    its manifest would name GPUs that it may never compute on.
    """
    import torch

    if not torch.cuda.device_count():
        return []
    done = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, check=False)
    if done.returncode:
        raise GoodhartError(
            "torch counts GPUs here but cannot name them "
            f"({(done.stderr.splitlines() or ['no message'])[-1]}); repair the driver, or set "
            "CUDA_VISIBLE_DEVICES='' to compute on the CPU."
        )
    return done.stdout.splitlines()


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_gpu_memory_bytes() -> int | None:
    """Return the most memory torch has held on one GPU, or None if it has used none."""
    cuda = _cuda()
    if cuda is None:
        return None
    return max(cuda.max_memory_allocated(index) for index in range(cuda.device_count()))


def repository(folder: Path) -> Repository | None:
    """Return commit and dirtiness of the git repository around `folder`, or None if there is none.

    Untracked files do not count: what a script reaches is hashed by its code digest anyway.
    """
    command = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = result.stdout.splitlines()
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid")]
    if not commits or commits[0] == "(initial)":
        return None
    return Repository(commit=commits[0], dirty=any(not line.startswith("#") for line in lines))


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _instructions() -> str | None:
    """Return torch's name for the CPU's vector instructions; never imports torch."""
    torch = sys.modules.get("torch")
    return None if torch is None else str(torch.backends.cpu.get_cpu_capability())


def _cuda():  # type: ignore[no-untyped-def]
    """Return torch.cuda if this process has imported torch and used a GPU; never imports torch."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None


def _gpus() -> list[Gpu]:
    cuda = _cuda()
    if cuda is None:
        return []
    found = []
    for index in range(cuda.device_count()):
        properties = cuda.get_device_properties(index)
        found.append(
            Gpu(
                name=properties.name,
                capability=f"{properties.major}.{properties.minor}",
                memory_bytes=properties.total_memory,
            )
        )
    return found
