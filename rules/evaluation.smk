"""Evaluation: freeze the tasks, sample responses in chunks of runs, score each run."""


include: "functions/evaluation.smk"


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
    conda:
        "../environment.yaml"
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
        " --digest {params.prompts} > {log} 2>&1"


rule freeze_tasks:
    input:
        task_set=task_set,
    output:
        tasks="<results>/{experiment}/tasks.jsonl",
    log:
        "<logs>/freeze_tasks/{experiment}.log",
    benchmark:
        "<benchmarks>/freeze_tasks/{experiment}.jsonl"
    conda:
        "../environment.yaml"
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
    conda:
        "../environment.yaml"
    threads: sampling_threads
    resources:
        mem_mb=memory_of("sample_responses", small_mb=6000),
        runtime=minutes_of("sample_responses", small=240),
        disk_mb=disk_of("sample_responses"),
        gpu=gpus_of("sample_responses"),
    params:
        shards=shards_flag,
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
        " {params.shards} {input.shards} {params.index} {input.index} --responses {output.responses}"
        " --experiment {wildcards.experiment} --model {params.model:q}"
        " --condition {wildcards.condition} --seed {wildcards.seed} --first {wildcards.first}"
        " --last {wildcards.last} --sampling {params.sampling:q} 2>&1 | tee {log}"


rule judge_responses:
    input:
        responses=rules.sample_responses.output.responses,
        tasks=rules.freeze_tasks.output.tasks,
        judge=judge_files,
    output:
        verdicts=("<results>/{experiment}/verdicts/{condition}/seed{seed}/runs{first}-{last}.jsonl"),
    log:
        "<logs>/judge_responses/{experiment}/{condition}/seed{seed}/runs{first}-{last}.log",
    benchmark:
        "<benchmarks>/judge_responses/{experiment}/{condition}/seed{seed}/runs{first}-{last}.jsonl"
    conda:
        "../environment.yaml"
    threads: judge_threads
    resources:
        mem_mb=memory_of("judge_responses", small_mb=6000),
        runtime=minutes_of("judge_responses", small=240),
        disk_mb=disk_of("judge_responses"),
        gpu=gpus_of("judge_responses"),
    params:
        model=judge_flags,
        judge=judge_settings,
        code=code_digest("judge_responses"),
    message:
        "Judging the explanations of {output.verdicts}"
    shell:
        "python scripts/judge_responses.py --responses {input.responses} --tasks {input.tasks}"
        " {params.model} --verdicts {output.verdicts} --judge {params.judge:q} 2>&1 | tee {log}"


use rule judge_responses as judge_gold with:
    input:
        responses=GOLD,
        tasks=rules.freeze_tasks.output.tasks,
        judge=judge_files,
    output:
        verdicts="<results>/{experiment}/verdicts/gold.jsonl",
    log:
        "<logs>/judge_gold/{experiment}.log",
    benchmark:
        "<benchmarks>/judge_gold/{experiment}.jsonl"


rule score_responses:
    input:
        responses=chunk_of_run,
        tasks=rules.freeze_tasks.output.tasks,
        verdicts=verdicts_of_run,
    output:
        outcomes="<results>/{experiment}/outcomes/{condition}/seed{seed}/run{run}.json",
    log:
        "<logs>/score_responses/{experiment}/{condition}/seed{seed}/run{run}.log",
    benchmark:
        "<benchmarks>/score_responses/{experiment}/{condition}/seed{seed}/run{run}.jsonl"
    wildcard_constraints:
        experiment="|".join(map(re.escape, LIVE)) or "(?!)",
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        verdicts=verdicts_flag,
        grading=grading_settings,
        code=code_digest("score_responses"),
    message:
        "Scoring run {wildcards.run} of {wildcards.condition} in {wildcards.experiment}"
    shell:
        "python scripts/score_responses.py --responses {input.responses} --tasks {input.tasks}"
        " {params.verdicts} --outcomes {output.outcomes} --run {wildcards.run}"
        " --grading {params.grading:q}"
        " > {log} 2>&1"


rule validate_graders:
    input:
        tasks=rules.freeze_tasks.output.tasks,
        gold=GOLD,
        verdicts=gold_verdicts,
    output:
        graders="<results>/{experiment}/tables/graders.csv",
        errors="<results>/{experiment}/tables/grader_errors.csv",
    log:
        "<logs>/validate_graders/{experiment}.log",
    benchmark:
        "<benchmarks>/validate_graders/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        verdicts=verdicts_flag,
        code=code_digest("validate_graders"),
    message:
        "Validating the graders on the tasks of {wildcards.experiment}"
    shell:
        "python scripts/validate_graders.py --tasks {input.tasks} --gold {input.gold}"
        " {params.verdicts} --graders {output.graders} --errors {output.errors} 2>&1 | tee {log}"
