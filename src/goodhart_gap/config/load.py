"""From Snakemake's merged config dictionary to a validated `Config`, or to one clear sentence.

Snakemake merges config files before we see them, so the file an offending key came from is found
by looking it up again, in the file that was read last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from goodhart_gap.compression.reuse import BASE
from goodhart_gap.config.families import budget_mistakes, reuse_mistakes
from goodhart_gap.config.schema import Config, LiveExperiment, RecordedExperiment
from goodhart_gap.errors import GoodhartError, did_you_mean

TASK_FOLDER = Path("config/tasks")


def load_config(raw: Mapping[str, Any], files: Sequence[str | Path] = ()) -> Config:
    """Validate `raw`, the merged content of `files` and the command line.

    Raises GoodhartError with one sentence for the first thing that is wrong.
    """
    try:
        config = Config.model_validate(dict(raw))
    except ValidationError as error:
        raise GoodhartError(_sentence(error.errors()[0], raw, files)) from None
    config = _with_members(config, files)
    _check_references(config, files)
    return config


def task_file(tasks: str) -> Path:
    """Return the file of a task set given by name or by path."""
    return Path(tasks) if "/" in tasks else TASK_FOLDER / f"{tasks}.yaml"


def _with_members(config: Config, files: Sequence[str | Path]) -> Config:
    """Put the members of each family among the conditions, and in its place in experiments."""
    members = {name: each.members(name) for name, each in config.condition_families.items()}
    conditions = dict(config.conditions)
    for name, family in members.items():
        for condition, settings in ({name: None} | family).items():
            # A config that was read before has its members already.
            if condition in conditions and conditions[condition] != settings:
                raise GoodhartError(
                    f"{_where(('condition_families', name), files)}: '{condition}' is a condition "
                    "already; rename the family."
                )
        conditions |= family
    experiments = {
        name: experiment.model_copy(
            update={
                "conditions": tuple(
                    condition
                    for named in experiment.conditions
                    for condition in members.get(named, [named])
                )
            }
        )
        if isinstance(experiment, LiveExperiment)
        else experiment
        for name, experiment in config.experiments.items()
    }
    return config.model_copy(update={"conditions": conditions, "experiments": experiments})


def _check_references(config: Config, files: Sequence[str | Path]) -> None:
    """Check what one section says about another, and about files that must exist."""

    def check(key: tuple[str, ...], name: str, known: Iterable[str], remedy: str) -> None:
        known = list(known)
        if name not in known:
            raise GoodhartError(
                f"{_where(key, files)} = '{name}': {remedy}{did_you_mean(name, known)}."
            )

    for name in config.build:
        check(("build",), name, config.experiments, "no such experiment; define it in experiments")
    live = [name for name, each in config.experiments.items() if isinstance(each, LiveExperiment)]
    for field, names in config.sweeps:
        for name in names:
            check(
                ("sweeps", field), name, live, "no such live experiment; define it in experiments"
            )
    for name, model in config.models.items():
        _check_source(name, model, files)
    _check_reuse(config, files)
    for name, experiment in config.experiments.items():
        key = ("experiments", name)
        if isinstance(experiment, LiveExperiment):
            check(
                (*key, "model"), experiment.model, config.models, "unknown model; add it to models"
            )
            remedy = "unknown condition; add it to conditions"
            for condition in experiment.conditions:
                check((*key, "conditions"), condition, config.conditions, remedy)
            _check_file((*key, "tasks"), task_file(experiment.tasks), files)
            judge = experiment.grading.judge
            if judge is not None and judge.model is not None:
                remedy = "unknown model; add it to models"
                check((*key, "grading", "judge", "model"), judge.model, config.models, remedy)
        elif isinstance(experiment, RecordedExperiment):
            _check_file((*key, "record"), Path(experiment.record), files)
        check(
            (*key, "baseline"),
            experiment.baseline,
            experiment.conditions,
            "the baseline must be one of the experiment's conditions",
        )
        if experiment.pilot is not None:
            remedy = "unknown experiment; define it in experiments"
            check((*key, "pilot"), experiment.pilot, config.experiments, remedy)
        for field in ("conditions", "seeds"):
            values = getattr(experiment, field)
            if len(set(values)) < len(values):
                raise GoodhartError(
                    f"{_where((*key, field), files)} = {list(values)}: an entry stands twice; "
                    "remove one."
                )


def _check_reuse(config: Config, files: Sequence[str | Path]) -> None:
    """Check that what a condition reuses is there, and is compressed itself."""
    if BASE in config.conditions:
        raise GoodhartError(
            f"{_where(('conditions', BASE), files)}: this is the name of the uncompressed "
            "checkpoint's folder; rename the condition."
        )
    family_of = {
        condition: name
        for name, family in config.condition_families.items()
        for condition in family.members(name)
    }
    for name, settings in config.conditions.items():
        for reused, mistake in reuse_mistakes(settings, config.conditions):
            key = (
                ("condition_families", family_of[name])
                if name in family_of
                else ("conditions", name)
            )
            near = did_you_mean(reused, config.conditions) if "unknown" in mistake else ""
            raise GoodhartError(f"{_where((*key, 'reuse'), files)} = '{reused}': {mistake}{near}.")
        for choice, mistake in budget_mistakes(settings, config.conditions):
            where = _where(("conditions", name, "budget", "choices"), files)
            near = did_you_mean(choice, config.conditions) if "unknown" in mistake else ""
            raise GoodhartError(f"{where} = '{choice}': {mistake}{near}.")


def _check_source(name: str, model: Any, files: Sequence[str | Path]) -> None:
    """Check that a remote source is pinned, so that the same config always means the same bytes."""
    pin = {"pypi": "sha256", "hf": "revision"}.get(model.source.split(":", 1)[0])
    if pin and getattr(model, pin) is None:
        raise GoodhartError(
            f"{_where(('models', name, 'source'), files)} = '{model.source}': "
            f"a source of this kind must be pinned; add `{pin}`."
        )


def _check_file(key: tuple[str, ...], path: Path, files: Sequence[str | Path]) -> None:
    if not path.is_file():
        near = [found.stem for found in path.parent.glob("*")] if path.parent.is_dir() else []
        raise GoodhartError(
            f"{_where(key, files)}: there is no file {path}{did_you_mean(path.stem, near)}; "
            "name an existing one."
        )


def _sentence(error: ErrorDetails, raw: Mapping[str, Any], files: Sequence[str | Path]) -> str:
    """Turn pydantic's first complaint into file, key, value and remedy."""
    location = _config_path(error["loc"], raw)
    value = error.get("input")
    kind, message = error["type"], error["msg"]
    if kind == "extra_forbidden":
        known = known_keys(location)
        return (
            f"{_where(location, files)}: unknown key"
            f"{did_you_mean(location[-1], known)}; correct or remove it; "
            f"allowed here: {', '.join(sorted(known))}."
        )
    if kind == "missing":
        return f"{_where(location, files)}: this key is required; add it."
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return (
            f"{_where((*location, 'source'), files)}: must be 'live' (responses are sampled here) "
            "or 'record' (outcomes are read from a table); set it."
        )
    shown = f" = {value!r}" if isinstance(value, str | int | float | bool | None) else ""
    remedy = message.replace("Input should", "must").replace("String should", "must")
    return f"{_where(location, files)}{shown}: {remedy}; correct this value."


def _config_path(location: tuple[int | str, ...], raw: Any) -> tuple[str, ...]:
    """Drop the parts of a pydantic location that name a union member, not a key of the file."""
    path: list[str] = []
    for index, part in enumerate(location):
        last = index == len(location) - 1
        inside = isinstance(raw, Mapping) and part in raw
        if part == "[key]" or (part in ("live", "record") and not inside and not last):
            continue
        path.append(str(part))
        if inside or (isinstance(raw, list | tuple) and isinstance(part, int)):
            raw = raw[part]
    return tuple(path)


def known_keys(location: Sequence[str], root: type[BaseModel] = Config) -> list[str]:
    """Return the keys allowed beside the last part of `location`, in a file read as `root`."""
    annotations: list[Any] = [root]
    for part in location[:-1]:
        annotations = [below for annotation in annotations for below in _below(annotation, part)]
    return sorted({key for each in annotations for key in getattr(each, "model_fields", ())})


def _below(annotation: Any, part: str) -> Iterable[Any]:
    """Yield the types that may stand under the key `part` of a value of type `annotation`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if part in annotation.model_fields:
            yield from _members(annotation.model_fields[part].annotation)
    elif get_origin(annotation) is dict:
        yield from _members(get_args(annotation)[1])


def _members(annotation: Any) -> Iterable[Any]:
    """Yield the members of a union or an annotated type; anything else is its own member."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        for argument in get_args(annotation):
            yield from _members(argument)
    else:
        yield annotation


def _where(key: Sequence[str], files: Sequence[str | Path]) -> str:
    """Return 'file: dotted.key', with the last file that holds the longest part of the key."""
    best, depth = "command line (--config)", 0
    for file in files:
        content = _read_yaml(Path(file))
        found = 0
        for part in key:
            if not isinstance(content, Mapping) or part not in content:
                break
            content, found = content[part], found + 1
        if found and found >= depth:
            best, depth = str(file), found
    if files and not depth:
        best = str(files[-1])
    return f"{best}: {'.'.join(key)}"


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return None
