"""The configuration outside Snakemake: the files that the Snakefile names, merged as it merges.

config = read_config()                        # what a plain `snakemake` works with
config = read_config([Path("mine.yaml")])     # with --configfile mine.yaml
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from goodhart_gap.config.load import load_config
from goodhart_gap.config.schema import Config
from goodhart_gap.errors import GoodhartError

SNAKEFILE = Path("Snakefile")
_CONFIGFILE = re.compile(r'^configfile: "(.+)"$', re.MULTILINE)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def config_files() -> list[Path]:
    """Return the config files of the workflow in this folder, in the order they are read.

    Raises GoodhartError where there is no workflow.
    """
    if not SNAKEFILE.is_file():
        raise GoodhartError(
            f"{SNAKEFILE}: there is none in {Path.cwd()}; run this in a clone of the repository."
        )
    return [Path(name) for name in _CONFIGFILE.findall(SNAKEFILE.read_text(encoding="utf-8"))]


def read_config(more: Iterable[Path] = ()) -> Config:
    """Return the validated configuration. Raises GoodhartError for the first thing wrong."""
    files = [*config_files(), *more]
    return load_config(merged(files), files)


def read_raw(more: Iterable[Path] = ()) -> dict[str, Any]:
    """Return the merged configuration as it is written, not validated."""
    return merged([*config_files(), *more])


def merged(files: Sequence[Path]) -> dict[str, Any]:
    """Return the content of `files`, later keys over earlier ones, sections key by key."""
    content: dict[str, Any] = {}
    for file in files:
        _merge(content, read_yaml(file))
    return content


def read_yaml(file: Path) -> dict[str, Any]:
    """Return what a YAML file holds. Raises GoodhartError when it is none, or is not there."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)
    except FileNotFoundError:
        raise GoodhartError(f"{file}: there is no such file; name an existing one.") from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise GoodhartError(f"{file}: not valid YAML ({reason}); correct it.") from None
    if content is not None and not isinstance(content, dict):
        raise GoodhartError(f"{file}: holds no sections; see config/README.md.")
    return content or {}


def _merge(content: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        below = content.get(key)
        if isinstance(value, Mapping):
            if not isinstance(below, dict):
                content[key] = below = {}
            _merge(below, value)
        else:
            content[key] = value
