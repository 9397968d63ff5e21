"""What is mirrored when: each folder of results, and the files that are its last."""

import re
from collections import defaultdict

from goodhart_gap.compression.reuse import BASE


def _folders():
    """Yield each folder below `<results>` with what must be finished before it is copied.

    A folder may come several times: it is copied when all that it came with is finished.
    """
    for name in CONFIG.build:
        experiment = CONFIG.experiments[name]
        yield name, [f"<results>/{name}/ANALYSIS.md"]
        if not isinstance(experiment, LiveExperiment):
            continue
        yield _base(experiment.model)
        judge = experiment.grading.judge if experiment.grading.explanation == "judge" else None
        if judge is not None and judge.model is not None:
            yield _base(judge.model)
        for condition in experiment.conditions:
            yield from _folders_of_condition(f"models/{experiment.model}", condition)
            yield f"{name}/responses/{condition}", _responses(name, experiment, condition)


def _base(model):
    """The folder of a base, and its last file."""
    return f"models/{model}/base", [f"<results>/models/{model}/base/fingerprint.json"]


def _folders_of_condition(model, condition):
    """The folders that a condition is made from, and its own."""
    settings = CONFIG.conditions[condition]
    if settings.imported:
        yield f"{model}/{condition}", [f"<results>/{model}/{condition}/import.json"]
    if not is_compressed(condition):
        return
    index = [f"<results>/{model}/{condition}/model.safetensors.index.json"]
    yield f"{model}/calibration", [f"<results>/{model}/calibration/tokens.safetensors"]
    # The records of Hessians are complete once all that is made from them is. Without them a new
    # clone could adopt no compressed shard. A folder that is not there has nothing to be copied.
    yield f"{model}/calibration/hessians", index
    yield f"{model}/calibration/activations", index
    yield f"{model}/{condition}", index
    for other in settings.reused.keys() - {BASE}:
        # What another condition is made from is no checkpoint of its own unless it is compared.
        yield f"{model}/{other}", index
        yield from _losses(model, other, index)
    yield from _losses(model, condition, index)


def _losses(model, condition, index):
    """The folder of what a budget was spent by, if the condition has one."""
    if condition not in BUDGETED:
        return
    if is_foreseen(condition):
        yield f"{model}/{condition}/foreseen", index
    else:
        # With the folders of the choices that it was measured for.
        yield model, [f"<results>/{model}/sensitivity.csv"]


def _responses(name, experiment, condition):
    """All responses of an experiment under a condition."""
    step, runs = experiment.runs_per_job, experiment.runs
    return [
        f"<results>/{name}/responses/{condition}/seed{seed}"
        f"/runs{first}-{min(first + step, runs) - 1}.jsonl"
        for seed in experiment.seeds
        for first in range(0, runs, step)
    ]


MIRRORED = defaultdict(list)
for _folder, _last in _folders():
    MIRRORED[_folder] += [path for path in _last if path not in MIRRORED[_folder]]


def last_of_folder(wildcards):
    """What must be finished before {folder} is copied."""
    return MIRRORED[wildcards.folder]
