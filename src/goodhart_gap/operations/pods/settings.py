"""Settings of a pod: a file of its own, e.g. `config/pods/qwen2-72b-n100.yaml`."""

from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from goodhart_gap.errors import GoodhartError
from goodhart_gap.settings import Settings

_WORD = r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$"
"""What may stand in a command line, and in the API's queries, without quotes."""


class PodSettings(Settings):
    """Which machine to rent, what to run on it, and how much it may cost."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    """Name of the pod; one of that name may exist at a time."""

    configfile: str = Field(pattern=_WORD)
    """The experiment's config file, in the repository."""

    prefix: str = Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*$")
    """Where on S3 results, and the log of the pod, go."""

    hessians: bool = True
    """Whether Hessians and activations lie on S3 until they have been used. Where they are only on
    the pod and it dies while a model is compressed, another one compresses all of it again: from a
    Hessian that is made again, Snakemake makes again whatever was made from it."""

    repository: str = Field(pattern=r"^[A-Za-z0-9/][A-Za-z0-9._:/@+-]*$")
    """Address that the pod clones the workflow from."""

    commit: str = Field(default="HEAD", pattern=_WORD)
    """What of it runs."""

    targets: tuple[str, ...] = ()
    """Targets of snakemake; left out: what the config file builds."""

    gpus: tuple[str, ...] = Field(min_length=1)
    """GPU types by preference, by RunPod's names; the first that is to be had is taken."""

    gpu_count: int | None = Field(default=None, gt=0)
    """GPUs of the pod; left out: as many as the most demanding job needs."""

    dollars_cap: float = Field(gt=0)
    """What the pod may cost; its run ends, and is copied, before that is spent."""

    cloud: str = Field(default="SECURE", pattern="^(SECURE|COMMUNITY|ALL)$")
    """RunPod's kind of data centre."""

    image: str = Field(
        default="runpod/pytorch:2.8.0-py3.11-cuda12.8.1-cudnn-devel-ubuntu22.04", pattern=_WORD
    )
    """Container image: needs bash, git, make and Python 3.11."""

    volume_path: str = Field(default="/workspace", pattern=r"^/[A-Za-z0-9._/-]+$")
    """Where the volume is mounted. Results, caches and temporary files lie there, never on the
    container's own layer."""

    container_disk_gb: int = Field(default=20, gt=0)
    """Size of the container's own layer."""

    vcpus: int = Field(default=16, gt=0)
    """Cores at least; as many are used."""

    memory_gb: int = Field(default=128, gt=0)
    """Main memory at least; jobs that want more at once wait for each other."""

    @property
    def storage(self) -> str:
        """The storage of the pod's run, as a value of Snakemake's --config."""
        return f"storage={{prefix: {self.prefix}, hessians: {str(self.hessians).lower()}}}"


def read_pod_settings(path: Path) -> PodSettings:
    """Read a pod's file. Raises GoodhartError naming the key that is wrong."""
    try:
        return PodSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise GoodhartError(f"{path}: no such file; name the file of a pod.") from error
    except yaml.YAMLError as error:
        raise GoodhartError(f"{path}: not valid YAML; correct it.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise GoodhartError(f"{path}: {key}: {first['msg']}; see docs/OPERATIONS.md.") from error
