"""Checkpoints that others have compressed, loaded as their tools load them: by from_pretrained.

An import is recorded first (source, revision, hash of every file) and loaded only if the files are
still those. Prompts and tokenizer are the base model's, so that conditions are asked the same.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json
from goodhart_gap.models.import_settings import ImportSettings
from goodhart_gap.models.number_format import number_format
from goodhart_gap.models.placement import DeviceMap
from goodhart_gap.provenance.hashing import sha256_file

_HUB_PATTERNS = ("*.json", "*.safetensors", "*.bin", "*.model", "*.jinja", "*.txt")

_SAME = ("vocab_size", "num_hidden_layers", "hidden_size")
"""What an imported model has in common with the base it is a compression of."""


def describe_import(settings: ImportSettings, base_config: Path) -> dict[str, Any]:
    """Return the record of a checkpoint: what it is, and the hash of every file.

    Raises GoodhartError when it is not there, or is a compression of another model than the one
    that `base_config` describes.
    """
    folder = locate(settings)
    files = list(_files(folder, settings.gguf_file))
    if not files:
        raise GoodhartError(f"{settings.source}: holds no files; correct `import.source`.")
    config = _config(folder, settings)
    base = read_json(base_config)
    for key in _SAME:
        if key in base and getattr(config, key, base[key]) != base[key]:
            raise GoodhartError(
                f"{settings.source}: {key} is {getattr(config, key)}, but {base_config} has "
                f"{base[key]}; import a compression of this base."
            )
    quantization = getattr(config, "quantization_config", None) or {}
    method = "gguf" if settings.gguf_file else dict(quantization).get("quant_method", "none")
    return {
        "import": settings.model_dump(mode="json"),
        "model_type": config.model_type,
        "quant_method": str(method),
        "bytes": sum(path.stat().st_size for path in files),
        "files": {
            path.relative_to(folder).as_posix(): {
                "sha256": sha256_file(path),
                "bytes": path.stat().st_size,
            }
            for path in files
        },
    }


def load_imported(
    record: Path, dtype: str = "auto", device: str | torch.device | DeviceMap = "cpu"
) -> Any:
    """Return the model that import.json records, in evaluation mode.

    `dtype` and `device` are as in `load_model`. Raises GoodhartError when a file is not
    the one recorded, and when the library that the method needs is missing.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    content = read_json(record)
    settings = ImportSettings.model_validate(content["import"])
    folder = locate(settings)
    for name, known in content["files"].items():
        path = folder / name
        if not path.is_file() or sha256_file(path) != known["sha256"]:
            raise GoodhartError(
                f"{path}: is not the file that {record} records; delete {record} and run again."
            )
    options: dict[str, Any] = {"gguf_file": settings.gguf_file} if settings.gguf_file else {}
    stored = _config(folder, settings).dtype or torch.bfloat16
    options["dtype"] = number_format(dtype, stored, device)
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, device_map=_map(device), **options)
    except (ImportError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise GoodhartError(
            f"{settings.source}: transformers cannot load it here ({reason}); install what its "
            f"method ({content['quant_method']}) needs, or drop this condition."
        ) from error
    return model.eval()


def locate(settings: ImportSettings) -> Path:
    """The folder of a source on this machine; a hub repository is downloaded to the hub's cache."""
    if settings.source.startswith("file:"):
        folder = Path(settings.place)
        if not folder.is_dir():
            raise GoodhartError(f"{settings.source}: there is no such folder; correct the source.")
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    wanted = [settings.gguf_file] if settings.gguf_file else list(_HUB_PATTERNS)
    try:
        found = snapshot_download(settings.place, revision=settings.revision, allow_patterns=wanted)
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise GoodhartError(
            f"{settings.source}: cannot be fetched from the hub ({reason}); check name, revision "
            "and access."
        ) from error
    return Path(found)


def _files(folder: Path, gguf_file: str | None) -> Iterator[Path]:
    if gguf_file is not None:
        if (folder / gguf_file).is_file():
            yield folder / gguf_file
        return
    for path in sorted(folder.rglob("*")):
        # Below the folder only: the hub's cache lies in a hidden one.
        inside = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") for part in inside):
            yield path


def _config(folder: Path, settings: ImportSettings) -> Any:
    from transformers import AutoConfig

    options = {"gguf_file": settings.gguf_file} if settings.gguf_file else {}
    try:
        return AutoConfig.from_pretrained(folder, **options)
    except (OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise GoodhartError(
            f"{settings.source}: transformers cannot read its configuration ({reason}); import a "
            "checkpoint that it supports."
        ) from error


def _map(device: str | torch.device | DeviceMap) -> Any:
    return device if isinstance(device, str) and device == "auto" else _one(device)


def _one(device: str | torch.device | DeviceMap) -> Any:
    return {"": device} if isinstance(device, str | torch.device) else dict(device)
