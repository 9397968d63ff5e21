"""Input and params functions of evaluation."""

import hashlib
import json
import re

GOLD = sorted(str(path) for path in Path("config/gold").glob("*.jsonl"))

LIVE = [
    name
    for name, experiment in CONFIG.experiments.items()
    if isinstance(experiment, LiveExperiment)
]


def task_set(wildcards):
    """The file of the task set of {experiment}."""
    return task_file(experiment_of(wildcards).tasks)


def prompts_digest(wildcards):
    """Hash of what a task set asks.

    It stands in for the file's modification time, which an edited rubric changes too.
    """
    from goodhart_gap.evaluation.task_sets import read_task_set
    from goodhart_gap.evaluation.tasks import prompt_rows

    try:
        rows = prompt_rows(read_task_set(task_set(wildcards)))
    except GoodhartError as error:
        # As in common.smk: an exception would come out as a traceback of this file.
        sys.exit(f"error: {error}")
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def base_file(name):
    """Return an input function for a file of the base of the experiment's model."""

    def path(wildcards):
        return f"<results>/models/{experiment_of(wildcards).model}/base/{name}"

    return path


def tokenizer_files(wildcards):
    """What a tokenizer is made of, and how the model says that it is done."""
    names = "generation_config.json tokenizer.json tokenizer_config.json chat_template.jinja"
    return [base_file(name)(wildcards) for name in names.split()]


def model_weights(wildcards):
    """The shards that make up the model under {condition}; an import has files of its own."""
    if CONFIG.conditions[wildcards.condition].imported:
        return []
    model = experiment_of(wildcards).model
    embeddings = large(f"<results>/models/{model}/base/embeddings.safetensors")
    return [embeddings, *shards_of_condition(model, wildcards.condition)]


def checkpoint_index(wildcards):
    """The index of a compressed checkpoint: it exists once every module has passed its checks.

    For an import it is the record of what was imported.
    """
    if CONFIG.conditions[wildcards.condition].imported:
        model = experiment_of(wildcards).model
        return f"<results>/models/{model}/{wildcards.condition}/import.json"
    if not is_compressed(wildcards.condition):
        return []
    model = experiment_of(wildcards).model
    return f"<results>/models/{model}/{wildcards.condition}/model.safetensors.index.json"


def index_flag(wildcards):
    """The option that passes the index or the record of an import, where there is one."""
    if CONFIG.conditions[wildcards.condition].imported:
        return "--imported"
    return "--index" if checkpoint_index(wildcards) else ""


def shards_flag(wildcards):
    """The option that passes the shards, where the model is made of some."""
    return "--shards" if model_weights(wildcards) else ""


def model_name(wildcards):
    """Name of the experiment's model."""
    return experiment_of(wildcards).model


def sampling_threads(wildcards):
    """CPU threads of a sampling job: a setting, since the order of sums depends on it."""
    return experiment_of(wildcards).sampling.threads


def chunk_of_run(wildcards, kind="responses"):
    """The responses file that holds {run}, or the verdicts on it."""
    experiment = experiment_of(wildcards)
    first = int(wildcards.run) // experiment.runs_per_job * experiment.runs_per_job
    last = min(first + experiment.runs_per_job, experiment.runs) - 1
    folder = f"<results>/{wildcards.experiment}/{kind}/{wildcards.condition}"
    return f"{folder}/seed{wildcards.seed}/runs{first}-{last}.jsonl"


def judge_of(wildcards):
    """Settings of the judge of {experiment}, or None where rubrics grade explanations."""
    grading = experiment_of(wildcards).grading
    return grading.judge if grading.explanation == "judge" else None


def judge_settings(wildcards):
    """JSON of JudgeSettings; `null` where there is no judge, for rules that then never run."""
    judge = judge_of(wildcards)
    return "null" if judge is None else judge.model_dump_json()


def judge_files(wildcards):
    """What a local judge is made of; nothing for an API."""
    judge = judge_of(wildcards)
    if judge is None or judge.model is None:
        return []
    base = f"<results>/models/{judge.model}/base"
    model = CONFIG.models[judge.model]
    names = "config.json fingerprint.json generation_config.json tokenizer.json"
    names += " tokenizer_config.json chat_template.jinja"
    shards = shard_names(model.blocks, model.blocks_per_shard)
    files = [f"{base}/{name}" for name in names.split()]
    return [*files, *(large(f"{base}/{shard}.safetensors") for shard in shards)]


def judge_flags(wildcards, input):
    """The options that pass the files of a local judge."""
    if not input.judge:
        return ""
    config, fingerprint, *others = input.judge
    tokenizer = [path for path in others if not str(path).endswith(".safetensors")]
    shards = [path for path in others if str(path).endswith(".safetensors")]
    return (
        f"--config {config} --fingerprint {fingerprint} --tokenizer {' '.join(tokenizer)}"
        f" --shards {' '.join(shards)}"
    )


def judge_threads(wildcards):
    """CPU threads of a local judge."""
    judge = judge_of(wildcards)
    return 1 if judge is None else judge.sampling.threads


def verdicts_of_run(wildcards):
    """The verdicts on the chunk that holds {run}, where a judge reads explanations."""
    if judge_of(wildcards) is None:
        return []
    return chunk_of_run(wildcards, "verdicts")


def gold_verdicts(wildcards):
    """The judge's verdicts on the gold set, where there is a judge."""
    return [] if judge_of(wildcards) is None else "<results>/{experiment}/verdicts/gold.jsonl"


def verdicts_flag(wildcards, input):
    """The option that passes verdicts, where there are any."""
    return f"--verdicts {input.verdicts}" if input.verdicts else ""
