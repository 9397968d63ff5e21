"""Settings of the plan: what machines do in a second, and what they cost."""

from pydantic import Field

from goodhart_gap.settings import Settings


class MachineRates(Settings):
    """What one device (a GPU, or one CPU core) does."""

    flops_per_s: float = Field(gt=0)
    """Multiply-adds count as two; the rate reached on large matrices, not the data sheet's."""

    memory_bytes_per_s: float = Field(gt=0)
    """Bandwidth of its memory."""

    dollars_per_hour: float = Field(ge=0)
    """Price of the device."""


class ModelSizes(Settings):
    """Sizes of a decoder, for a model whose config.json has not been fetched yet."""

    hidden: int = Field(gt=0)
    """Width of the residual stream."""

    intermediate: int = Field(gt=0)
    """Width inside the MLP."""

    queries: int = Field(gt=0)
    """Width of the queries (heads times head size)."""

    keys: int = Field(gt=0)
    """Width of the keys, and of the values (key-value heads times head size)."""

    vocabulary: int = Field(gt=0)
    """Entries of the vocabulary."""

    tied: bool = False
    """Whether head and embedding are one matrix."""


class PlanSettings(Settings):
    """What `goodhart-gap plan` predicts with where nothing was recorded."""

    job_start_s: float = Field(default=2.0, ge=0)
    """Seconds a job takes before it works: a process, its imports."""

    model_start_s: float = Field(default=10.0, ge=0)
    """The same for a job that loads torch and transformers."""

    network_bytes_per_s: float = Field(default=2e8, gt=0)
    """Rate of downloads and of S3."""

    disk_bytes_per_s: float = Field(default=1e9, gt=0)
    """Rate of the disk."""

    dollars_per_gigabyte_out: float = Field(default=0.0, ge=0)
    """Price of a gigabyte read from S3."""

    prompt_tokens: int = Field(default=150, gt=0)
    """Tokens of a prompt."""

    batch: int = Field(default=32, gt=0)
    """Sequences sampled at once."""

    cpu_core: MachineRates
    """One CPU core."""

    gpu: MachineRates
    """One GPU."""

    gpu_memory_bytes: float = Field(default=8.5e10, gt=0)
    """Memory of one GPU: how many a job asks for follows from it."""

    models: dict[str, ModelSizes] = Field(default_factory=dict)
    """Sizes of models that have not been fetched."""
