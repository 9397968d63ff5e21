"""Conditions under a budget: measure or foresee what choices cost, choose, then compress."""


include: "functions/budget.smk"


rule measure_sensitivity:
    input:
        config=rules.fetch_model.output.config,
        tokens=rules.calibration_tokens.output.tokens,
        embeddings=large("<results>/models/{model}/base/embeddings.safetensors"),
        shards=base_block_shards,
        compressed=shards_of_candidates,
    output:
        sensitivity="<results>/models/{model}/sensitivity.csv",
    log:
        "<logs>/measure_sensitivity/{model}.log",
    benchmark:
        "<benchmarks>/measure_sensitivity/{model}.jsonl"
    priority: FIRST
    conda:
        "../environment.yaml"
    threads: 8
    resources:
        mem_mb=memory_of("measure_sensitivity", small_mb=4000),
        runtime=minutes_of("measure_sensitivity", small=120),
        disk_mb=disk_of("measure_sensitivity"),
        gpu=gpus_of("measure_sensitivity"),
    params:
        limit=sensitivity_tokens,
        code=code_digest("measure_sensitivity"),
    message:
        "Measuring what each block of {wildcards.model} costs the model's output"
    shell:
        "python scripts/measure_sensitivity.py --config {input.config} --tokens {input.tokens}"
        " --embeddings {input.embeddings} --shards {input.shards} --compressed {input.compressed}"
        " --limit {params.limit} --threads {threads} --sensitivity {output.sensitivity}"
        " 2>&1 | tee {log}"


rule foresee_errors:
    input:
        base=large("<results>/models/{model}/base/{shard}.safetensors"),
        fingerprint="<results>/models/{model}/base/{shard}.fingerprint.json",
        hessians=travelling("<results>/models/{model}/calibration/hessians/{shard}.safetensors"),
    output:
        foreseen="<results>/models/{model}/{condition}/foreseen/{shard}.csv",
    log:
        "<logs>/foresee_errors/{model}/{condition}/{shard}.log",
    benchmark:
        "<benchmarks>/foresee_errors/{model}/{condition}/{shard}.jsonl"
    wildcard_constraints:
        shard=BLOCK_SHARD_PATTERN,
        condition=FORESEEN_CONDITIONS,
    priority: FIRST
    conda:
        "../environment.yaml"
    threads: compress_threads
    resources:
        mem_mb=memory_of("foresee_errors", small_mb=4000),
        runtime=minutes_of("foresee_errors", small=60),
        disk_mb=disk_of("foresee_errors"),
    params:
        candidates=candidate_settings,
        code=code_digest("foresee_errors"),
    message:
        "Foreseeing the errors of {wildcards.condition} in {wildcards.shard} of {wildcards.model}"
    shell:
        "python scripts/foresee_errors.py --base {input.base} --fingerprint {input.fingerprint}"
        " --hessians {input.hessians} --candidates {params.candidates:q} --threads {threads}"
        " --foreseen {output.foreseen} 2>&1 | tee {log}"


rule allocate_budget:
    input:
        fingerprints=fingerprints_of_block_shards,
        losses=losses_of_choices,
    output:
        allocation="<results>/models/{model}/{condition}/allocation.json",
        why="<results>/models/{model}/{condition}/allocation.csv",
    log:
        "<logs>/allocate_budget/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/allocate_budget/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=BUDGETED_CONDITIONS,
    priority: EARLY
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        budget=budget_settings,
        candidates=candidate_settings,
        code=code_digest("allocate_budget"),
    message:
        "Choosing what each part of {wildcards.model} becomes for {wildcards.condition}"
    shell:
        "python scripts/allocate_budget.py --fingerprints {input.fingerprints}"
        " --losses {input.losses} --model {wildcards.model}"
        " --condition {wildcards.condition} --candidates {params.candidates:q}"
        " --allocation {output.allocation} --why {output.why} --budget {params.budget:q}"
        " > {log} 2>&1"
