"""A `file:` source: a transformers checkpoint folder with safetensors weights, whole or indexed."""

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


class FolderSource:
    """Reads a checkpoint folder; only the weight files that hold a wanted tensor are opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, str] | None = None
        if self.find("config.json") is None:
            raise GoodhartError(
                f"{self.label}: no config.json there; `source` must name a transformers checkpoint "
                "with safetensors weights."
            )

    @property
    def label(self) -> str:
        """The folder, as the config names it."""
        return f"file:{self.folder}"

    def find(self, name: str) -> Path | None:
        """Return the path of a file of the checkpoint, None when it has no such file."""
        path = self.folder / name
        return path if path.exists() else None

    def config(self) -> Any:
        """Return the configuration. Raises GoodhartError for a checkpoint already quantized."""
        # Here and below: transformers takes seconds to import, and `read` needs none of it.
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(self.folder, trust_remote_code=False)
        except (ValueError, KeyError) as error:
            raise GoodhartError(
                f"{self.label}: transformers cannot read its config.json "
                f"({first_line(error)}); use a model that transformers knows without remote code."
            ) from error
        if getattr(config, "quantization_config", None) is not None:
            raise GoodhartError(
                f"{self.label}: config.json has a quantization_config, so it is already "
                "compressed; give the unquantized model as `source`."
            )
        config.name_or_path = ""
        return config

    def generation_config(self) -> Any:
        """Return generation_config.json, or what the model's configuration implies without it."""
        from transformers import GenerationConfig

        if self.find("generation_config.json") is None:
            return GenerationConfig.from_model_config(self.config())
        return GenerationConfig.from_pretrained(self.folder)

    def tokenizer(self) -> Any:
        """Return the tokenizer. Raises GoodhartError when the folder has none."""
        if not any(self.find(name) for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
            raise GoodhartError(
                f"{self.label}: no tokenizer there (tokenizer.json, tokenizer.model or "
                "vocab.json); add the model's tokenizer files."
            )
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(self.folder, trust_remote_code=False)
        except (ValueError, OSError) as error:
            raise GoodhartError(
                f"{self.label}: its tokenizer cannot be read ({first_line(error)}); add the "
                "model's own tokenizer files."
            ) from error

    def read(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Return those of the named weights that are there, opening each weight file once."""
        tensors = {}
        for file, wanted in self._by_file(names):
            path = self.find(file)
            if path is None:
                raise GoodhartError(
                    f"{self.label}: the index places {wanted[0]} in {file}, which is missing; "
                    "complete the checkpoint."
                )
            with open_weights(path) as weights:
                for name in wanted:
                    tensors[name] = weights.get_tensor(name)
        return tensors

    def _by_file(self, names: Collection[str]) -> list[tuple[str, list[str]]]:
        """Return each weight file that holds some of `names`, with those names, in order."""
        by_file = defaultdict(list)
        files = self._tensor_files()
        for name in names:
            if name in files:
                by_file[files[name]].append(name)
        return sorted(by_file.items())

    def _tensor_files(self) -> dict[str, str]:
        if self._files is None:
            index = self.find(INDEX)
            single = None if index else self.find(SINGLE)
            if index is not None:
                self._files = dict(read_json(index)["weight_map"])
            elif single is not None:
                with open_weights(single) as weights:
                    self._files = dict.fromkeys(weights.keys(), SINGLE)
            else:
                raise GoodhartError(
                    f"{self.label}: neither {SINGLE} nor {INDEX} there; convert the checkpoint's "
                    "weights to safetensors."
                )
        return self._files


def open_weights(path: Path) -> Any:
    """Open a safetensors file. Raises GoodhartError naming the file when it is not whole."""
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise GoodhartError(
            f"{path}: not a whole safetensors file ({first_line(error)}); fetch it again."
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, without its final stop."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(" .") if lines else type(error).__name__
