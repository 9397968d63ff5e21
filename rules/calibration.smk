"""Calibration: what a model is shown, and the Hessians of its layers' inputs, block by block."""


include: "functions/calibration.smk"


rule calibration_tokens:
    input:
        config=rules.fetch_model.output.config,
        tokenizer=rules.fetch_model.output.tokenizer,
        tokenizer_config=rules.fetch_model.output.tokenizer_config,
        chat_template=rules.fetch_model.output.chat_template,
        shards=shards_to_sample_from,
        text=calibration_text,
    output:
        tokens="<results>/models/{model}/calibration/tokens.safetensors",
    log:
        "<logs>/calibration_tokens/{model}.log",
    benchmark:
        "<benchmarks>/calibration_tokens/{model}.jsonl"
    conda:
        "../environment.yaml"
    threads: calibration_threads
    resources:
        mem_mb=memory_of("calibration_tokens", small_mb=4000),
        runtime=minutes_of("calibration_tokens", small=120),
        disk_mb=disk_of("calibration_tokens"),
        gpu=gpus_of("calibration_tokens"),
    params:
        shards=shards_flag,
        text=text_flag,
        calibration=calibration_settings,
        code=code_digest("calibration_tokens"),
    message:
        "Making calibration tokens of {wildcards.model}"
    shell:
        "python scripts/calibration_tokens.py --config {input.config} --tokenizer {input.tokenizer}"
        " {input.tokenizer_config} {input.chat_template} {params.shards} {input.shards}"
        " {params.text} {input.text:q} --tokens {output.tokens}"
        " --calibration {params.calibration:q} 2>&1 | tee {log}"


rule accumulate_hessians:
    input:
        config=rules.fetch_model.output.config,
        tokens=rules.calibration_tokens.output.tokens,
        precedes=what_precedes,
        weights=rules.fetch_shard.output.weights,
        fingerprint=rules.fetch_shard.output.fingerprint,
    output:
        hessians=travelling("<results>/models/{model}/calibration/hessians/{shard}.safetensors"),
        after=travelling(
            "<results>/models/{model}/calibration/activations/{shard}.safetensors", temporary=True
        ),
    log:
        "<logs>/accumulate_hessians/{model}/{shard}.log",
    benchmark:
        "<benchmarks>/accumulate_hessians/{model}/{shard}.jsonl"
    wildcard_constraints:
        model=models_that_keep(hessians=True),
        shard=BLOCK_SHARD_PATTERN,
    conda:
        "../environment.yaml"
    threads: calibration_threads
    resources:
        mem_mb=memory_of("accumulate_hessians", small_mb=4000),
        runtime=minutes_of("accumulate_hessians", small=120),
        disk_mb=disk_of("accumulate_hessians"),
        gpu=gpus_of("accumulate_hessians"),
    params:
        hessians="--hessians",
        precedes=precedes_flag,
        threads=calibration_threads,
        code=code_digest("accumulate_hessians"),
    message:
        "Accumulating Hessians of {wildcards.shard} of {wildcards.model}"
    shell:
        "python scripts/accumulate_hessians.py --config {input.config} --tokens {input.tokens}"
        " {params.precedes} {input.precedes} --weights {input.weights}"
        " --fingerprint {input.fingerprint} --shard {wildcards.shard}"
        " --calibration-threads {params.threads} {params.hessians} {output.hessians}"
        " --after {output.after} 2>&1 | tee {log}"


# Hessians that outweigh the model they belong to live only until every condition is compressed.
use rule accumulate_hessians as accumulate_passing_hessians with:
    output:
        hessians=travelling(
            "<results>/models/{model}/calibration/hessians/{shard}.safetensors", temporary=True
        ),
        after=travelling(
            "<results>/models/{model}/calibration/activations/{shard}.safetensors", temporary=True
        ),
    wildcard_constraints:
        model=models_that_keep(hessians=False),
        shard=BLOCK_SHARD_PATTERN,
    params:
        hessians="--passing-hessians",
        precedes=precedes_flag,
        threads=calibration_threads,
        code=code_digest("accumulate_hessians"),
