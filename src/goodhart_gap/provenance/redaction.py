"""Secrets never reach a log, a terminal, a manifest or a traceback.

Two defences, both at the source:

- `Secrets` reads every documented secret variable; its values print as asterisks.
- `RedactingStream` wraps the standard streams of every script and of the command line tool, so
  that whatever writes to them (logging, tracebacks, a library's own messages) is masked.
"""

import os
import re
import sys
from typing import IO, Any

from pydantic import SecretStr

from goodhart_gap.settings import Settings

SECRET_VARIABLES = (
    "HF_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "SNAKEMAKE_STORAGE_S3_ACCESS_KEY",
    "SNAKEMAKE_STORAGE_S3_SECRET_KEY",
    "SNAKEMAKE_STORAGE_S3_TOKEN",
    "RUNPOD_API_KEY",
    "OPENAI_API_KEY",
)
"""Environment variables whose values are secret."""

PRIVATE_VARIABLES = ("AWS_ENDPOINT_URL", "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL")
"""Environment variables whose values are masked too, though they open nothing."""

_NAMED: set[str] = set()

SHORTEST_BYTES = 6
"""A shorter value is not masked: it would blot out ordinary words, and it is no secret."""

_IN_TEXT = tuple(
    re.compile(pattern)
    for pattern in (
        r"(://)[^/\s:@]+:[^/\s@]+(?=@)",
        r"(://)[^/\s@\"']+(?=@)",
        r"(?i)(\bbearer )[A-Za-z0-9._~+/=-]{6,}",
        r"(?i)(x-amz-(?:signature|credential|security-token)=)[^&\s\"']+",
    )
)
"""Credentials by their form; what follows the group is masked."""


class Secrets(Settings):
    """The credentials a run may need, read from the environment; printing shows asterisks."""

    hf_token: SecretStr | None = None
    """Hugging Face token, for gated models."""

    aws_access_key_id: SecretStr | None = None
    """S3 key."""

    aws_secret_access_key: SecretStr | None = None
    """S3 secret."""

    aws_session_token: SecretStr | None = None
    """S3 session token, for temporary credentials."""

    snakemake_storage_s3_access_key: SecretStr | None = None
    """S3 key that the storage plugin reads; same as `aws_access_key_id` where both are set."""

    snakemake_storage_s3_secret_key: SecretStr | None = None
    """S3 secret that the storage plugin reads."""

    snakemake_storage_s3_token: SecretStr | None = None
    """S3 session token that the storage plugin reads."""

    runpod_api_key: SecretStr | None = None
    """RunPod API key."""

    openai_api_key: SecretStr | None = None
    """Key of an OpenAI-compatible endpoint, for a judge."""

    @classmethod
    def from_environment(cls) -> "Secrets":
        """Read the variables of `SECRET_VARIABLES` that are set and not empty."""
        values = {name.lower(): os.environ.get(name) or None for name in SECRET_VARIABLES}
        return cls.model_validate(values)


def keep_secret(variable: str) -> None:
    """Mask the value of one more variable from now on: one that a config file names."""
    _NAMED.add(variable)


def redact(text: str) -> str:
    """Return `text` without the values of secret variables and without credentials in URLs."""
    for name in (*SECRET_VARIABLES, *PRIVATE_VARIABLES, *sorted(_NAMED)):
        value = os.environ.get(name, "")
        if len(value) >= SHORTEST_BYTES and value in text:
            text = text.replace(value, f"***{name}***")
    for pattern in _IN_TEXT:
        text = pattern.sub(r"\1***", text)
    return text


class RedactingStream:
    """A text stream that masks secrets in what is written, and is otherwise the one it wraps."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text` with its secrets masked; returns the length of `text`."""
        self._stream.write(redact(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each line with its secrets masked."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def redact_streams() -> None:
    """Mask secrets in everything this process prints from now on. Safe to call twice."""
    if not isinstance(sys.stdout, RedactingStream):
        sys.stdout = RedactingStream(sys.stdout)
    if not isinstance(sys.stderr, RedactingStream):
        sys.stderr = RedactingStream(sys.stderr)
