"""Conditions under a budget: measure what each block costs the model, choose, then compress."""


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


rule allocate_budget:
    input:
        fingerprints=fingerprints_of_block_shards,
        sensitivity=rules.measure_sensitivity.output.sensitivity,
    output:
        allocation="<results>/models/{model}/{condition}/allocation.json",
        why="<results>/models/{model}/{condition}/allocation.csv",
    log:
        "<logs>/allocate_budget/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/allocate_budget/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=BUDGETED_CONDITIONS,
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
        "Choosing what each block of {wildcards.model} becomes for {wildcards.condition}"
    shell:
        "python scripts/allocate_budget.py --fingerprints {input.fingerprints}"
        " --sensitivity {input.sensitivity} --model {wildcards.model}"
        " --condition {wildcards.condition} --candidates {params.candidates:q}"
        " --allocation {output.allocation} --why {output.why} --budget {params.budget:q}"
        " > {log} 2>&1"
