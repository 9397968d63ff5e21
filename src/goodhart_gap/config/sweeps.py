"""What a sweep's tables and documents need to know about its conditions, from the config."""

from collections.abc import Iterator
from typing import Any

from goodhart_gap.analysis.sweep_settings import SweepCondition, SweepFacts
from goodhart_gap.compression.reuse import BASE, origin_of_block
from goodhart_gap.compression.settings import FORESEEN, ConditionSettings
from goodhart_gap.config.schema import Config, LiveExperiment, ModelConfig

BITS = {"bfloat16": 16, "float16": 16, "float32": 32}


def sweep_facts(config: Config, name: str) -> SweepFacts:
    """Return what documents say about the live experiment called `name`."""
    experiment = config.experiments[name]
    if not isinstance(experiment, LiveExperiment):
        raise TypeError(f"{name} is a record")
    model = config.models[experiment.model]
    return SweepFacts(
        experiment=name,
        description=experiment.description,
        model=experiment.model,
        blocks=model.blocks,
        base_bits=BITS[model.dtype],
        baseline=experiment.baseline,
        conditions=experiment.conditions,
        runs=experiment.runs,
        seeds=experiment.seeds,
        members=tuple(_member(config, each, model) for each in experiment.conditions),
        published=experiment.pilot,
        confidence=experiment.statistics.confidence,
        margin=experiment.statistics.equivalence_margin,
        floor_rate=experiment.statistics.floor_rate,
    )


def compressed_by(config: Config, names: tuple[str, ...]) -> list[str]:
    """Return the conditions whose shards `names` need, those that compress, each once."""
    found = dict.fromkeys(
        origin
        for name in names
        for origin in (config.conditions[name].reused or {name: None})
        if origin != BASE and config.conditions[origin].compresses
    )
    return list(found)


def _member(config: Config, name: str, model: ModelConfig) -> SweepCondition:
    settings, blocks = config.conditions[name], model.blocks
    origins = dict(_origins(name, settings, blocks))
    used = [config.conditions[origin] for origin in origins.values() if origin != BASE]
    matrices = [each.compress for each in used if each.compress is not None]
    if settings.budget is not None:
        choices = [
            config.conditions[choice] for choice in settings.budget.choices if choice != BASE
        ]
        methods = sorted({each.compress.method for each in choices if each.compress is not None})
    else:
        methods = sorted({each.method for each in matrices})
    bits = [each.bits for each in matrices]
    reused = [origin for origin in settings.reused if origin != BASE]
    found: dict[str, Any] = {
        "name": name,
        "kind": _kind(settings, len(reused)),
        "method": " and ".join(methods) or None,
        "nominal_bits": sum(bits) / len(bits) if bits else None,
        "reused": reused[0] if len(reused) == 1 else None,
        "chosen_by_tokens": model.sensitivity_tokens
        if settings.budget is not None and settings.budget.loss != FORESEEN
        else 0,
        "protected": tuple(block for block in range(blocks) if origins.get(block, BASE) == BASE),
    }
    for family_name, family in config.condition_families.items():
        if name in family.members(family_name):
            found |= {"kind": "family", "family": family_name, "varies": family.kind}
    return SweepCondition.model_validate(found)


def _kind(settings: ConditionSettings, reused: int) -> str:
    if not settings.compresses and settings.reuse is None and settings.imported is None:
        return "baseline"
    protect = settings.protect
    if settings.budget is not None:
        return "selective"
    if protect.first or protect.last or protect.blocks or protect.patterns:
        return "selective"
    return "mixed" if reused > 1 else "compressed"


def _origins(name: str, settings: ConditionSettings, blocks: int) -> Iterator[tuple[int, str]]:
    """Yield each block and where it comes from; protected ones from the base."""
    if not settings.compresses and settings.reuse is None:
        return
    protect = settings.protect
    whole = {*range(protect.first), *range(blocks - protect.last, blocks), *protect.blocks}
    for block in range(blocks):
        origin = name if settings.compresses else origin_of_block(settings, block)
        yield block, BASE if block in whole or origin is None else origin
