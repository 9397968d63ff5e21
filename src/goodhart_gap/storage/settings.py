"""Settings of the S3 storage."""

from pydantic import Field

from goodhart_gap.settings import Settings


class StorageSettings(Settings):
    """Where large files live. Endpoint, region and credentials come from the environment."""

    prefix: str = Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*$")
    """`s3://{bucket}/{folder}`: takes the place of the folder of results for base and compressed
    shards; all smaller files stay on disk and are copied there at the end of each stage."""

    hessians: bool = False
    """Send Hessians, and the activations between two shards, there too: needed where the jobs that
    make them and the jobs that read them run on machines that share no disk."""

    patience_s: float = Field(default=300.0, ge=0)
    """How long a request is repeated while the server does not answer or is busy."""
