"""Settings of a checkpoint that others have compressed."""

from pydantic import Field, model_validator

from goodhart_gap.settings import Settings


class ImportSettings(Settings):
    """Where a checkpoint lies that transformers can load: GPTQ, AWQ, bitsandbytes, GGUF, ..."""

    source: str = Field(pattern=r"^(file|hf):[^#]+(#.+\.gguf)?$")
    """`file:{folder}` or `hf:{owner}/{name}` (needs `revision`); for a GGUF file, followed by
    `#{its name}`. What a method needs beside transformers (gptqmodel, bitsandbytes, ...) must be
    installed."""

    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    """Commit of an `hf:` source; required there, so that a moved branch changes nothing."""

    @model_validator(mode="after")
    def _pinned(self) -> "ImportSettings":
        """A remote source is pinned."""
        if self.source.startswith("hf:") and self.revision is None:
            raise ValueError("an hf: source must be pinned; add `revision`")
        return self

    @property
    def place(self) -> str:
        """Folder, or name of the repository."""
        return self.source.partition(":")[2].partition("#")[0]

    @property
    def gguf_file(self) -> str | None:
        """Name of the GGUF file, where it is one."""
        return self.source.partition("#")[2] or None
