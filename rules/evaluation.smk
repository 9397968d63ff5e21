"""Evaluation: freeze the tasks, sample responses in chunks of runs, score each run."""

import hashlib
import json
import re

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
    from goodhart_gap.evaluation.tasks import prompt_rows, read_task_set

    rows = prompt_rows(read_task_set(task_set(wildcards)))
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
    """The shards that make up the model under {condition}."""
    model = experiment_of(wildcards).model
    folder = wildcards.condition if is_compressed(wildcards.condition) else "base"
    blocks = [
        f"<results>/models/{model}/{folder}/{shard}.safetensors"
        for shard in block_shards(wildcards)
    ]
    return [f"<results>/models/{model}/base/embeddings.safetensors", *blocks]


def checkpoint_index(wildcards):
    """The index of a compressed checkpoint: it exists once every module has passed its checks."""
    if not is_compressed(wildcards.condition):
        return []
    model = experiment_of(wildcards).model
    return f"<results>/models/{model}/{wildcards.condition}/model.safetensors.index.json"


def index_flag(wildcards):
    """The option that passes the index, where there is one."""
    return "--index" if checkpoint_index(wildcards) else ""


def model_name(wildcards):
    """Name of the experiment's model."""
    return experiment_of(wildcards).model


def chunk_of_run(wildcards):
    """The responses file that holds {run}."""
    experiment = experiment_of(wildcards)
    first = int(wildcards.run) // experiment.runs_per_job * experiment.runs_per_job
    last = min(first + experiment.runs_per_job, experiment.runs) - 1
    return (
        f"<results>/{wildcards.experiment}/responses/{wildcards.condition}"
        f"/seed{wildcards.seed}/runs{first}-{last}.jsonl"
    )


rule freeze_prompts:
    input:
        # Only what is asked counts, and that is in `params`.
        task_set=ancient(task_set),
    output:
        prompts="<results>/{experiment}/prompts.jsonl",
    log:
        "<logs>/freeze_prompts/{experiment}.log",
    benchmark:
        "<benchmarks>/freeze_prompts/{experiment}.jsonl"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        prompts=prompts_digest,
    message:
        "Freezing the prompts of {wildcards.experiment}"
    shell:
        "python scripts/freeze_prompts.py --task-set {input.task_set} --prompts {output.prompts}"
        " > {log} 2>&1"


rule freeze_tasks:
    input:
        task_set=task_set,
    output:
        tasks="<results>/{experiment}/tasks.jsonl",
    log:
        "<logs>/freeze_tasks/{experiment}.log",
    benchmark:
        "<benchmarks>/freeze_tasks/{experiment}.jsonl"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        code=code_digest("freeze_tasks"),
    message:
        "Freezing the tasks of {wildcards.experiment}"
    shell:
        "python scripts/freeze_tasks.py --task-set {input.task_set} --tasks {output.tasks}"
        " > {log} 2>&1"


rule sample_responses:
    input:
        prompts=rules.freeze_prompts.output.prompts,
        config=base_file("config.json"),
        tokenizer=tokenizer_files,
        fingerprint=base_file("fingerprint.json"),
        shards=model_weights,
        index=checkpoint_index,
    output:
        responses=(
            "<results>/{experiment}/responses/{condition}/seed{seed}/runs{first}-{last}.jsonl"
        ),
    log:
        "<logs>/sample_responses/{experiment}/{condition}/seed{seed}/runs{first}-{last}.log",
    benchmark:
        "<benchmarks>/sample_responses/{experiment}/{condition}/seed{seed}/runs{first}-{last}.jsonl"
    threads: 2
    resources:
        mem_mb=6000,
        runtime=240,
    params:
        index=index_flag,
        model=model_name,
        sampling=sampling_settings,
        code=code_digest("sample_responses"),
    message:
        "Sampling runs {wildcards.first} to {wildcards.last} of {wildcards.condition} in"
        " {wildcards.experiment}"
    shell:
        "python scripts/sample_responses.py --prompts {input.prompts} --config {input.config}"
        " --tokenizer {input.tokenizer} --fingerprint {input.fingerprint}"
        " --shards {input.shards} {params.index} {input.index} --responses {output.responses}"
        " --experiment {wildcards.experiment} --model {params.model:q}"
        " --condition {wildcards.condition} --seed {wildcards.seed} --first {wildcards.first}"
        " --last {wildcards.last} --sampling {params.sampling:q} 2>&1 | tee {log}"


rule score_responses:
    input:
        responses=chunk_of_run,
        tasks=rules.freeze_tasks.output.tasks,
    output:
        outcomes="<results>/{experiment}/outcomes/{condition}/seed{seed}/run{run}.json",
    log:
        "<logs>/score_responses/{experiment}/{condition}/seed{seed}/run{run}.log",
    benchmark:
        "<benchmarks>/score_responses/{experiment}/{condition}/seed{seed}/run{run}.jsonl"
    wildcard_constraints:
        experiment="|".join(map(re.escape, LIVE)) or "(?!)",
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        grading=grading_settings,
        code=code_digest("score_responses"),
    message:
        "Scoring run {wildcards.run} of {wildcards.condition} in {wildcards.experiment}"
    shell:
        "python scripts/score_responses.py --responses {input.responses} --tasks {input.tasks}"
        " --outcomes {output.outcomes} --run {wildcards.run} --grading {params.grading:q}"
        " > {log} 2>&1"


rule validate_graders:
    input:
        tasks=rules.freeze_tasks.output.tasks,
        gold=sorted(str(path) for path in Path("config/gold").glob("*.jsonl")),
    output:
        graders="<results>/{experiment}/tables/graders.csv",
        errors="<results>/{experiment}/tables/grader_errors.csv",
    log:
        "<logs>/validate_graders/{experiment}.log",
    benchmark:
        "<benchmarks>/validate_graders/{experiment}.jsonl"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        code=code_digest("validate_graders"),
    message:
        "Validating the graders on the tasks of {wildcards.experiment}"
    shell:
        "python scripts/validate_graders.py --tasks {input.tasks} --gold {input.gold}"
        " --graders {output.graders} --errors {output.errors} 2>&1 | tee {log}"
