"""What is mirrored when: each folder of results, and the files that are its last."""

import re


def _folders():
    """Yield each folder below `<results>` with what must be finished before it is copied."""
    for name in CONFIG.build:
        experiment = CONFIG.experiments[name]
        yield name, [f"<results>/{name}/ANALYSIS.md"]
        if not isinstance(experiment, LiveExperiment):
            continue
        model = f"models/{experiment.model}"
        yield f"{model}/base", [f"<results>/{model}/base/fingerprint.json"]
        for condition in experiment.conditions:
            if is_compressed(condition):
                yield f"{model}/calibration", [f"<results>/{model}/calibration/tokens.safetensors"]
                index = f"<results>/{model}/{condition}/model.safetensors.index.json"
                yield f"{model}/{condition}", [index]
            yield f"{name}/responses/{condition}", _responses(name, experiment, condition)


def _responses(name, experiment, condition):
    """All responses of an experiment under a condition."""
    step, runs = experiment.runs_per_job, experiment.runs
    return [
        f"<results>/{name}/responses/{condition}/seed{seed}"
        f"/runs{first}-{min(first + step, runs) - 1}.jsonl"
        for seed in experiment.seeds
        for first in range(0, runs, step)
    ]


MIRRORED = dict(_folders())


def last_of_folder(wildcards):
    """What must be finished before {folder} is copied."""
    return MIRRORED[wildcards.folder]
